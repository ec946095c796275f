/*
 * What a session consists of. Private to this folder; one thread. From the bottom up, each file uses what is above it:
 *
 *   schedule.c   when steps may start and groups commit
 *   notes.c      the session's own events, metrics, log lines
 *   failure.c    what the run has failed of
 *   worker.c     a worker that fails, or is killed: recorded, no more
 *   pause.c      time in which osiris did not run
 *   trace.c      frames for debugging
 *   send.c       messages and requests to a worker
 *   streams.c    batches between workers
 *   requests.c   what is asked of a worker
 *   records.c    what is recorded of the steps before they run
 *   steps.c      how a step ended
 *   artifacts.c  the steps' folders of artifacts
 *   attempts.c   a failed step: another attempt of its group, or the end of the run
 *   silence.c    drivers that hang
 *   reports.c    what drivers report, as far as it goes on record
 *   errors.c     errors that a worker sends
 *   losses.c     what the end of a worker means for groups
 *   answers.c    what a worker answers
 *   messages.c   what else it says
 *   receive.c    taking in what has come
 *   link.c       its link: heartbeats, silence, making a lost one again
 *   orphans.c    processes that drivers have left
 *   place.c      places: which there are, and what their adapters are at
 *   blame.c      how a worker has ended, and which step is to blame
 *   settle.c     draws the consequences of all that was recorded
 *   deadlines.c  what may take only so long
 *   loop.c       the poll loop
 *   session.c    set-up and tear-down
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_STATE_H
#define OSIRIS_ORCHESTRATOR_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/orphans.h"
#include "core/base/pause.h"
#include "core/wire/channel.h"
#include "orchestrator/adapter/thread.h"
#include "orchestrator/adapter/worker-log.h"
#include "orchestrator/base/ending-signals.h"
#include "orchestrator/compile/plan.h"
#include "orchestrator/session/schedule.h"
#include "orchestrator/session/session.h"

#define SESSION_SECRET_SIZE 33 /* 32 hexadecimal digits */
#define WORKERS_A_PLACE 1

enum request_kind {
    REQUEST_HELLO,
    REQUEST_PREPARE,
    REQUEST_STEP,
    REQUEST_COMMIT, /* both phases */
    REQUEST_PHASE_COMMIT,
    REQUEST_PHASE_PUBLISH,
    REQUEST_ABORT,
    REQUEST_CANCEL,
    REQUEST_CLEANUP,
};

struct session_request {
    uint64_t number; /* its id on the wire is "req_<number>" */
    enum request_kind kind;
    size_t index; /* of the step or group */
    bool published; /* a commit: all that it asks for has been; its answer waits for drivers that are closed */
    int64_t deadline_ms; /* 0: others see to it that it is answered */
};

/* A link that can be made again, and how that goes. Monotonic milliseconds; 0: not set. */
struct session_link {
    int64_t down_since_ms;    /* it is lost, or made again and not greeted yet */
    int64_t trouble_since_ms; /* the first of the losses between which too little came through */
    int64_t attempt_ms, next_attempt_ms;
    int64_t pause_ms; /* between two attempts */
    int64_t up_since_ms;
    struct channel_progress progress; /* at the last loss */
    bool moved_in, moved_out;         /* since trouble_since_ms */
    bool judged;                      /* the loss was */
};

/* Where the conversation with a worker stands. */
enum worker_phase {
    WORKER_ABSENT,    /* its place has not started it (yet) */
    WORKER_GREETING,  /* hello and prepare are sent */
    WORKER_PREPARING, /* hello is answered */
    WORKER_RUNNING,   /* prepare is answered: steps run */
    WORKER_CLEANING,  /* cleanup is sent */
    WORKER_ENDED,     /* cleanup is answered: the channel may be closed */
    WORKER_FAILED,    /* it is gone, silent or talks nonsense, or could not be started: `failure`, which is not settled yet */
    WORKER_LOST,      /* and that is settled */
};

/* A process that runs steps in a place; when it is lost, the next one takes its place here. */
struct session_worker {
    struct session_place *place;
    enum worker_phase phase;
    struct channel *channel;
    struct worker_log *log;
    int pid;
    struct session_request *requests; /* in flight */
    size_t request_count, request_capacity;
    uint64_t last_number;
    /* Monotonic milliseconds; 0: not set. */
    int64_t phase_deadline_ms;
    int64_t last_sent_ms, last_heard_ms;
    struct session_link link;
    bool killed;             /* by us */
    bool has_left;           /* it has said why */
    bool remote;             /* its link is worth compressing for */
    json_object *codecs;     /* that it can read, or NULL */
    struct body_pool *pool;  /* NULL until a body comes */
    uint8_t *body;           /* of the message that comes next; owned */
    bool takes_body;         /* it is on its way */
    char session_id[SESSION_SECRET_SIZE], token[SESSION_SECRET_SIZE];
    /* WORKER_FAILED */
    struct osiris_error failure;
    uint64_t failure_number; /* in which order they are settled */
    bool never_started;      /* its adapter has failed */
    bool end_is_known;
    struct osiris_worker_exit end;
};

/* What a place's adapter is at, or what it was at last. */
enum place_phase {
    PLACE_NEW,
    PLACE_PREPARING,
    PLACE_PREPARED,
    PLACE_STARTING, /* a worker */
    PLACE_STARTED,
    PLACE_RECONNECTING, /* makes the link to its worker again */
    PLACE_AWAITING, /* the end of its worker */
    PLACE_ENDED,    /* that has ended, or could not be started */
    PLACE_LEAVING,  /* brings home what is there, and closes: before it is prepared again, or at the end of the run */
    PLACE_LEFT,
};

/* Where steps run: an adapter and the workers that it starts. */
struct session_place {
    struct session *session;
    const char *name; /* what run_on says; the default place: the adapter's name */
    const char *adapter_name;
    json_object *adapter_options; /* borrowed, or NULL */
    struct osiris_adapter_context context;
    const char **driver_paths;      /* the array is owned */
    struct adapter_thread *adapter; /* NULL before it is made, and when it was left behind */
    enum place_phase phase;
    struct session_worker *workers; /* WORKERS_A_PLACE of session->workers */
    int64_t deadline_ms;            /* the run ends: when an adapter that does not return is left behind; 0: not set */
    bool has_left;                  /* for good: PLACE_LEAVING was begun at the end of the run */
    int64_t restart_ms;             /* its worker is lost: when there may be another */
    size_t reported_bytes;          /* that its workers have in the records */
    int64_t dropped_reports;        /* that found no room there */
};

struct session_step {
    const struct plan_step *plan;
    const char *id, *component; /* the plan's */
    const struct component *driver; /* as the registry knows it, or NULL */
    json_object *config;            /* borrowed, or NULL */
    bool bounds_its_waits;          /* its driver says so (x-bounded-waits) */
    struct session_worker *worker;
    int64_t started_ns;
    int64_t rows, bytes;
    json_object *record;    /* borrowed from result->steps */
    json_object *artifacts; /* what is in its folder before the first attempt; NULL: unknown */
    /* Of the present attempt. */
    int64_t started_ms, first_ms; /* requested; in the first attempt */
    struct osiris_error overdue;  /* it has failed of that, whatever it answers */
    bool warned_of_silence;       /* of its driver, which goes on */
    bool has_written;             /* or may have */
    bool has_ended;               /* with `held`, which nobody was told yet */
    struct osiris_error held;
    json_object *metrics; /* [{metric, value, unit}], of which nobody was told yet; or NULL */
};

/* What the session needs for a group beside its state (schedule.h). */
struct session_group {
    size_t pending;  /* workers that owe an answer to the commit or abort */
    bool refused;    /* one of them could not be asked, or has answered with an error */
    bool may_repeat; /* one of its steps has a `retry` */
    int64_t attempt; /* from 1 */
    struct osiris_error cause; /* what its attempt has failed of, when another may follow */
    size_t cause_step;
    /* Monotonic milliseconds; 0: not set. */
    int64_t resume_ms; /* paused: when the next attempt begins */
    int64_t stop_ms;   /* told to stop: when workers that do not are killed */
};

/* How far the producer of a stream has come. */
enum stream_state { STREAM_NEW, STREAM_OPEN, STREAM_ENDED }; /* before its schema; behind its `end` */

/* An edge of the plan whose ends run in different workers, and the stream of its present attempt. */
struct session_edge {
    size_t from, to;  /* steps */
    bool crosses;
    int64_t stream;   /* its number; 0: none yet */
    enum stream_state state;
    bool unwanted;    /* its reader wants no more */
    bool closed;      /* and the producer has been told */
    int64_t end_ms;   /* its producer has run: when it is late with the rest; 0: not set */
    int64_t credit;   /* what the producer may begin to send: wire_batch_weigh */
    int64_t withheld; /* credit that it is told of when the reader's channel holds less */
    int64_t left;     /* of the batch that is on its way */
};

enum session_phase {
    SESSION_PREPARING,  /* adapters */
    SESSION_EXECUTING,  /* workers start, steps run */
    SESSION_ENDING,     /* workers end */
    SESSION_LEAVING,    /* artifacts come home, adapters close */
    SESSION_CLOSING,    /* that they could not prepare: they close */
    SESSION_DONE,
};

struct session {
    const struct session_options *options;
    struct session_result *result;
    struct session_limits limits;
    enum session_phase phase;
    const struct plan *plan;
    struct schedule *schedule;
    struct session_step *steps;   /* as many as the plan's, in its order; so are groups and edges */
    struct session_group *groups;
    struct session_edge *edges;
    int64_t last_stream;
    struct session_place *places;
    size_t place_count;
    struct session_worker *workers; /* of all places */
    size_t worker_count;
    uint64_t last_failure;
    char **environment; /* of the workers' processes */
    json_object *artifacts; /* what is in their folder from before; NULL: unknown */
    struct adapter_sink sink;
    int signal_fd;
    struct signal_tally signals;
    int64_t grace_deadline_ms; /* when a worker that does not stop is killed */
    int64_t run_deadline_ms;   /* 0: none */
    bool timed_out;            /* the run */
    bool has_remote;           /* a worker was, at some time */
    bool late_commit;          /* the run has failed of one that took too long */
    struct retry_random random;
    int64_t executing_ns;      /* when the adapters were prepared */
    int64_t next_flush_ms;     /* of the run's records */
    struct pause_watch watch;
    bool has_begun;            /* all workers were there once */
    bool cleaning;             /* workers are asked to */
    struct osiris_error failure; /* the first: what the run failed of */
    bool failure_is_settled;
    struct adoption adoption;    /* of what workers leave: what was before */
};

#endif
