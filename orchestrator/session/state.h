/*
 * The state of a session. Private to this folder; one thread. The files, from the bottom up (each uses those above it):
 *
 *   schedule.c   decides when steps start and groups commit
 *   notes.c      the session's own events, metrics and log lines
 *   failure.c    the failure of the run
 *   worker.c     the state of a worker; records that it has failed
 *   pause.c      time during which osiris did not run
 *   trace.c      tracing of frames
 *   send.c       sending messages and requests
 *   streams.c    batches between workers
 *   home.c       files of this machine for workers elsewhere; home-messages.c, home-events.c, home-groups.c
 *   requests.c   requests to workers
 *   records.c    records of the steps before they run
 *   steps.c      the end of a step
 *   artifacts.c  the steps' artifact folders
 *   attempts.c   a failed step: another attempt of its group, or the end of the run
 *   silence.c    drivers that hang
 *   reports.c    recording what drivers report
 *   errors.c     errors from workers
 *   losses.c     consequences of a lost worker for its groups
 *   answers.c    answers of workers
 *   messages.c   all other messages from workers
 *   receive.c    receiving from workers
 *   link.c       the link to a worker: heartbeats, silence, re-establishing it
 *   orphans.c    processes that drivers have left behind
 *   place.c      places and the tasks of their adapters
 *   blame.c      describes the end of a worker, and finds the step that caused it
 *   settle.c     draws the consequences of what was recorded
 *   deadlines.c  timeouts
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
    REQUEST_COMMIT, /* both phases in one */
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
    bool published; /* of a commit: everything is published; the answer follows when the drivers are closed */
    int64_t deadline_ms; /* 0: it has none of its own */
};

/* A link that can be re-established. Monotonic milliseconds; 0: not set. */
struct session_link {
    int64_t down_since_ms;    /* it is lost, or the worker has not greeted over the new one */
    int64_t trouble_since_ms; /* the first of several losses between which too little data passed */
    int64_t attempt_ms, next_attempt_ms;
    int64_t pause_ms; /* before the next attempt */
    int64_t up_since_ms;
    struct channel_progress progress; /* at the last loss */
    bool moved_in, moved_out;         /* since trouble_since_ms */
    bool judged;                      /* judge_loss was called for the current loss */
};

/* The state of the conversation with a worker. */
enum worker_phase {
    WORKER_ABSENT,    /* not started, or not yet */
    WORKER_GREETING,  /* hello and prepare have been sent */
    WORKER_PREPARING, /* hello has been answered */
    WORKER_RUNNING,   /* prepare has been answered: steps run */
    WORKER_CLEANING,  /* cleanup has been sent */
    WORKER_ENDED,     /* cleanup has been answered: the channel may be closed */
    WORKER_FAILED,    /* it has failed or could not be started (`failure`), which is not settled yet */
    WORKER_LOST,      /* its failure is settled */
};

/* A process that runs steps in a place. When it is lost, its replacement uses the same struct. */
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
    int64_t phase_deadline_ms, phase_bound_ms;
    int64_t last_sent_ms, last_received_ms;
    struct session_link link;
    bool heard_in_phase;     /* something has arrived since the phase began */
    bool phase_was_extended; /* by another link */
    bool killed;             /* by osiris */
    bool has_left;           /* it has reported an error and closes the channel */
    bool remote;             /* compression may pay on its link */
    bool files_are_home;     /* its place does not have the files of this machine */
    struct worker_files *files; /* those that it uses (home.h), or NULL */
    json_object *codecs;     /* the codecs that it can read, or NULL */
    struct body_pool *pool;  /* NULL before the first body */
    uint8_t *body;           /* of the next message; owned */
    bool takes_body;         /* a body is arriving */
    char session_id[SESSION_SECRET_SIZE], token[SESSION_SECRET_SIZE];
    /* In WORKER_FAILED. */
    struct osiris_error failure;
    uint64_t failure_number; /* failures are settled in this order */
    bool never_started;      /* its adapter could not start it */
    bool end_is_known;
    struct osiris_worker_exit end;
};

/* The current or last task of a place's adapter. */
enum place_phase {
    PLACE_NEW,
    PLACE_PREPARING,
    PLACE_PREPARED,
    PLACE_STARTING, /* the worker */
    PLACE_STARTED,
    PLACE_RECONNECTING, /* re-establishing the link to the worker */
    PLACE_AWAITING, /* waiting for the worker's end */
    PLACE_ENDED,    /* the worker has ended, or could not be started */
    PLACE_LEAVING,  /* collecting artifacts and closing, before it is prepared again or at the end of the run */
    PLACE_LEFT,
};

/* A place: an adapter and the workers that it starts. */
struct session_place {
    struct session *session;
    const char *name; /* the value of run_on; for the default place, the adapter's name */
    const char *adapter_name;
    json_object *adapter_options; /* borrowed, or NULL */
    struct osiris_adapter_context context;
    const struct component **drivers; /* of its steps; the array is owned, as is the next one */
    size_t driver_count;
    const char **driver_paths;      /* their files */
    struct adapter_thread *adapter; /* NULL before it is made, and after it was abandoned */
    enum place_phase phase;
    struct session_worker *workers; /* WORKERS_A_PLACE of session->workers */
    int64_t deadline_ms;            /* when an adapter that does not return is abandoned; 0: not set */
    bool has_left;                  /* PLACE_LEAVING has begun at the end of the run */
    int64_t restart_ms;             /* when a lost worker may be replaced */
    size_t reported_bytes;          /* what its workers have used of the records */
    int64_t dropped_reports;        /* reports that exceeded the limit */
};

struct session_step {
    const struct plan_step *plan;
    const char *id, *component; /* the plan's */
    const struct component *driver; /* of the registry, or NULL */
    json_object *config;            /* borrowed, or NULL */
    bool bounds_its_waits;          /* declared by its driver (x-bounded-waits) */
    struct session_worker *worker;
    int64_t started_ns;
    int64_t rows, bytes;
    json_object *record;    /* borrowed from result->steps */
    json_object *artifacts; /* contents of its folder before the first attempt; NULL: unknown */
    /* Of the current attempt. */
    int64_t started_ms, first_ms; /* when it was requested: in this attempt, in the first one */
    struct osiris_error overdue;  /* it has failed with this error, whatever it answers */
    bool warned_of_silence;       /* the driver's, since its last sign of life */
    bool has_written;             /* or may have */
    bool has_ended;               /* with `held`, which has not been reported yet */
    struct osiris_error held;
    json_object *metrics; /* [{metric, value, unit}], not reported yet; or NULL */
};

/* What happens to a group's outputs at home (home.h). */
enum home_state { HOME_IDLE, HOME_PUBLISHING, HOME_PUBLISHED, HOME_RETRACTING };

/* A group. Its state is in the schedule (schedule.h). */
struct session_group {
    size_t pending;  /* workers that have not answered the commit or abort */
    bool refused;    /* one of them could not be reached, or has answered with an error */
    bool may_repeat; /* one of its steps has a `retry` */
    int64_t attempt; /* counted from 1 */
    enum home_state home;   /* of its outputs at home */
    size_t files;           /* at home that are not closed */
    int64_t home_ms;        /* monotonic: when publishing or taking back takes too long; 0: not set */
    json_object *published; /* those that are published and not reported yet, or NULL */
    struct osiris_error cause; /* why its attempt has failed, if another may follow */
    size_t cause_step;
    /* Monotonic milliseconds; 0: not set. */
    int64_t resume_ms; /* paused: when the next attempt starts */
    int64_t stop_ms;   /* stopping: when workers that have not stopped are killed */
};

/* What the producer of a stream has sent: nothing yet; its schema; its `end`. */
enum stream_state { STREAM_NEW, STREAM_OPEN, STREAM_ENDED };

/* An edge of the plan. If its ends run in different workers, it has a stream in each attempt. */
struct session_edge {
    size_t from, to;  /* steps */
    bool crosses;
    int64_t stream;   /* its number; 0: none */
    enum stream_state state;
    bool unwanted;    /* the reader wants no more */
    bool closed;      /* and the producer has been notified */
    int64_t end_ms;   /* the producer has run: when the rest of the stream is late; 0: not set */
    int64_t credit;   /* the weight (wire_batch_weigh) that the producer may still send */
    int64_t withheld; /* credit that is passed on when the reader's channel holds less */
    int64_t left;     /* bytes of the current batch that have not arrived */
};

enum session_phase {
    SESSION_PREPARING,  /* adapters prepare */
    SESSION_EXECUTING,  /* workers start, steps run */
    SESSION_ENDING,     /* workers end */
    SESSION_LEAVING,    /* artifacts are collected, adapters close */
    SESSION_CLOSING,    /* adapters close, because one could not prepare */
    SESSION_DONE,
};

struct session {
    const struct session_options *options;
    struct session_result *result;
    struct session_limits limits;
    enum session_phase phase;
    const struct plan *plan;
    struct schedule *schedule;
    struct session_step *steps;   /* in the order of the plan, like groups and edges */
    struct session_group *groups;
    struct session_edge *edges;
    int64_t last_stream;
    struct session_place *places;
    size_t place_count;
    struct session_worker *workers; /* of all places */
    size_t worker_count;
    uint64_t last_failure;
    struct files *files; /* of this machine, for places that do not have them; NULL: there are none */
    struct session_file *first_file, *last_file; /* those that are in use, in the order of opening */
    char **environment; /* of the workers' processes */
    json_object *artifacts; /* contents of their folder before the run; NULL: unknown */
    struct adapter_sink sink;
    int signal_fd;
    struct signal_tally signals;
    int64_t grace_deadline_ms; /* when a worker that does not stop is killed */
    int64_t run_deadline_ms;   /* 0: none */
    bool timed_out;            /* the run has exceeded its timeout */
    bool has_remote;           /* one of the workers is or was remote */
    bool late_commit;          /* the run has failed because a commit took too long */
    struct retry_random random;
    int64_t executing_ns;      /* when the adapters were prepared */
    int64_t next_flush_ms;     /* of the run's records */
    struct pause_watch watch;
    bool has_begun;            /* all workers have been running at the same time */
    bool cleaning;             /* the workers have been requested to clean up */
    struct osiris_error failure; /* of the run: the first one */
    bool failure_is_settled;
    struct adoption adoption;    /* of processes that workers leave behind */
};

#endif
