/*
 * What the session's files share. Private to them.
 *
 *   session.c    the run: set-up, poll loop, signals, tear-down
 *   place.c      one place: its adapter, its worker, its channel, how they end
 *   start.c      how it comes to have one
 *   link.c       its link: heartbeats, silence, making a lost one again
 *   records.c    what is recorded of the steps before they run
 *   requests.c   what is asked of a worker
 *   messages.c   what a worker tells
 *   answers.c    what it answers
 *   steps.c      how a step ended; the session's own events, metrics, log lines
 *   reports.c    what of it goes on record
 *   trace.c      frames for debugging
 *   streams.c    batches between workers in different places
 *   attempts.c   failures, other attempts, other workers
 *   deadlines.c  what may take only so long
 *   pause.c      time in which osiris did not run
 *   silence.c    drivers that hang
 *   orphans.c    processes that drivers have left
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_STATE_H
#define OSIRIS_ORCHESTRATOR_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/adapter/guard.h"
#include "orchestrator/adapter/thread.h"
#include "core/base/buffer.h"
#include "core/base/ending-signals.h"
#include "core/wire/channel.h"
#include "core/base/orphans.h"
#include "core/base/pause.h"
#include "orchestrator/oml/retry.h"
#include "orchestrator/session/schedule.h"
#include "orchestrator/session/session.h"
#include "orchestrator/adapter/worker-log.h"

#define SESSION_SECRET_SIZE 33 /* 32 hexadecimal digits */

/* Where the conversation with a worker stands. */
enum place_phase {
    PLACE_OPENING,   /* its worker is not started yet: that is the adapter's turn */
    PLACE_GREETING,  /* hello and prepare are sent */
    PLACE_PREPARING, /* hello is answered */
    PLACE_RUNNING,   /* prepare is answered: steps run */
    PLACE_CLEANING,  /* cleanup is sent */
    PLACE_ENDED,     /* cleanup is answered: the channel may be closed */
    PLACE_BROKEN,    /* the worker is gone, silent or talks nonsense */
};

enum request_kind {
    REQUEST_HELLO,
    REQUEST_PREPARE,
    REQUEST_STEP,
    REQUEST_COMMIT,  /* both phases */
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

/* Where steps run: an adapter and the worker that it has started. */
struct session_place {
    struct session *session;
    const char *name; /* what run_on says; the default place: the adapter's name */
    const char *adapter_name;
    json_object *adapter_options; /* borrowed, or NULL */
    struct osiris_adapter_context context;
    const char **driver_paths; /* the array is owned */
    struct adapter_thread *adapter; /* NULL before it is made, and when it was left behind */
    enum place_phase phase;
    struct channel *channel;
    struct worker_log *worker_log;
    int worker_pid;
    struct session_request *requests; /* in flight */
    size_t request_count, request_capacity;
    uint64_t last_number;
    /* Monotonic milliseconds; 0: not set. */
    int64_t phase_deadline_ms;
    int64_t last_sent_ms, last_heard_ms;
    struct session_link link;
    int64_t restart_ms;                     /* broken: when it may be made again */
    bool killed;                            /* by us */
    bool has_left;                          /* the worker has said why */
    bool remote;                            /* its link is worth compressing for */
    size_t reported_bytes;                  /* that its workers have in the records */
    int64_t dropped_reports;                /* that found no room there */
    json_object *codecs;                    /* that its worker can read, or NULL */
    struct body_pool *pool;                 /* NULL until a body comes */
    uint8_t *body;                          /* of the message that comes next; owned */
    bool takes_body;                        /* it is on its way */
    char session_id[SESSION_SECRET_SIZE], token[SESSION_SECRET_SIZE];
};

struct session_step {
    const char *id; /* borrowed from the plan */
    const char *component;
    size_t place;
    int64_t started_ns;
    int64_t rows, bytes;
    json_object *record; /* borrowed from result->steps */
    /* Of the plan. */
    int64_t timeout_ms, total_timeout_ms; /* 0: none */
    struct retry_policy retry;
    bool atomic;
    json_object *artifacts; /* what stands in its folder before the first attempt; NULL: unknown */
    /* Of the present attempt. */
    int64_t started_ms, first_ms; /* requested; in the first attempt */
    struct osiris_error overdue;  /* it has failed of that, whatever it answers */
    bool warned_of_silence;       /* of its driver, which goes on */
    bool has_written;             /* or may have */
    bool has_ended;               /* with `held`, of which nobody was told yet */
    struct osiris_error held;
    json_object *metrics; /* [{metric, value, unit}], of which nobody was told yet; or NULL */
};

struct session_group {
    size_t pending;  /* places that have not answered the commit or abort */
    bool failed;     /* one of them with an error */
    bool may_repeat; /* one of its steps has a `retry` */
    int64_t attempt; /* from 1 */
    bool failing;    /* its attempt has failed of `cause`, another may follow */
    struct osiris_error cause;
    size_t cause_step;
    /* Monotonic milliseconds; 0: not set. */
    int64_t resume_ms; /* paused: when the next attempt begins */
    int64_t stop_ms;   /* told to stop: when workers that do not are killed */
};

/* How far the producer of a stream has come. */
enum stream_state { STREAM_NEW, STREAM_OPEN, STREAM_ENDED }; /* before its schema; behind its `end` */

/* An edge of the plan whose ends sit in different places, and the stream of its present attempt. */
struct session_edge {
    size_t from, to;  /* steps */
    bool crosses;
    int64_t stream;   /* its number; 0: none yet */
    enum stream_state state;
    bool closed;      /* its reader wants no more: the producer was told */
    int64_t end_ms;   /* its producer has run: when it is late with the rest; 0: not set */
    int64_t credit;   /* what the producer may begin to send: wire_batch_weigh */
    int64_t withheld; /* credit that it is told of when the reader's channel holds less */
    int64_t left;     /* of the batch that is on its way */
};

struct session {
    const struct session_options *options;
    struct session_result *result;
    struct session_limits limits;
    struct schedule *schedule;
    struct session_step *steps;
    size_t step_count;
    struct session_group *groups;
    struct session_edge *edges;
    size_t edge_count;
    int64_t last_stream;
    struct session_place *places;
    size_t place_count;
    char **environment; /* of the workers' processes */
    json_object *artifacts; /* what stands in their folder from before; NULL: unknown */
    struct adapter_sink sink;
    int signal_fd;
    struct signal_tally signals;
    int64_t grace_deadline_ms; /* when a worker that does not stop is killed */
    int64_t run_deadline_ms;   /* 0: none */
    bool timed_out;            /* the run */
    bool has_remote;           /* a place was, at some time */
    bool late_commit;          /* the run has failed of one that took too long */
    struct retry_random random;
    int64_t next_flush_ms;     /* of the run's records */
    struct pause_watch watch;
    bool executing;            /* workers may be started */
    bool cleaning;
    struct osiris_error failure; /* the first: what the run failed of */
    struct adoption adoption;    /* of what workers leave: what was before */
};

/* session.c */

/* The first failure is what the run is said to have failed of; it stops the schedule and starts the grace
 * time, and what was held back of failed attempts is told. Takes `error`. */
void session_fail(struct session *session, struct osiris_error *error);

/* orphans.c: what a worker that was killed has left running on this machine has become this process's child. */

/* No worker and no adapter's process is there: whatever child is new, is one. */
void session_end_orphans(struct session *session);

/* requests.c: where the workers' temporary folders are. Nobody else has one of this name: the run's directory may
 * be a folder with other things in it (--out). */
char *session_temp_dir(const struct session *session);

/* records.c */

/* The config as the driver gets it: without what is not its own. Free it. */
json_object *session_step_config(const struct session *session, const struct session_step *step);
/* Their inputs, configs and folders of artifacts; writes what stands in those. */
int session_record_steps(struct session *session, struct osiris_error *error);

/* place.c */

/* Finds out which places the plan names and which steps sit where. */
void session_make_places(struct session *session);
void session_free_places(struct session *session);
/* The worker cannot be talked to any more. Takes `error` (the channel's), which is overruled by how the worker
 * ended, if it did. */
void place_break(struct session_place *place, struct osiris_error *error);
void place_break_with(struct session_place *place, int category, const char *message);
void place_kill(struct session_place *place);
/* The conversation is over: closes the channel and waits for the worker's end. */
void place_end_worker(struct session_place *place);
/* It has ended, and whether it had to be killed for that. */
void place_note_end(struct session_place *place, const struct adapter_worker_end *end);
bool place_is_over(const struct session_place *place);
/* It has a worker that can be talked to. */
bool place_is_there(const struct session_place *place);
/* Takes in what has come. */
void place_receive(struct session_place *place, short revents);

/* start.c */

int place_make_adapter(struct session_place *place, struct osiris_error *error);
/* The place is PLACE_OPENING until the adapter has done what leads to a worker, or cannot. */
void place_begin(struct session_place *place, enum adapter_task task);
/* A broken one: tears it down, then prepares and executes it anew. */
void place_restart(struct session_place *place);
/* What the adapter has to say (adapter_thread_fd): the next step to a worker, or the place is lost. */
void place_take_adapter(struct session_place *place);
/* An adapter is at work, and waited for. */
bool session_is_preparing(struct session *session);
/* All adapters are prepared: starts the workers. */
void session_execute(struct session *session);
/* The run fails: nobody needs workers that are being made. */
void session_stop_starting(struct session *session);
/* It is cancelled or late: also what adapters do from now on is not to take long. */
void session_cancel_adapters(struct session *session);
/* Waits for what the adapter is at; one that does not return is left. */
void place_settle(struct session_place *place);

/* link.c */

void place_check_deadlines(struct session_place *place);
/* The next moment at which place_check_deadlines has something to do. */
int64_t place_next_deadline(const struct session_place *place);

/* trace.c */

/* Has the frames of the place's channel traced, if the run is to be. */
void place_trace(struct session_place *place);

/* requests.c: each sends one request; failing to is a broken place. */

void place_send(struct session_place *place, json_object *message);
void place_send_hello(struct session_place *place);
void place_send_prepare(struct session_place *place);
void place_send_step(struct session_place *place, size_t step);
/* To every place of the group. A group that spans places is committed everywhere before anything is published. */
void session_send_commit(struct session *session, size_t group);
void session_send_publish(struct session *session, size_t group);
void session_send_abort(struct session *session, size_t group);
void place_send_cancel(struct session_place *place);
void place_send_cleanup(struct session_place *place);
void place_send_heartbeat(struct session_place *place);
/* Finds and forgets the request that `id` answers; false if there is none. */
bool place_take_request(struct session_place *place, const char *id,
                        struct session_request *request);
/* The request under way that has the id; NULL if there is none. */
struct session_request *place_find_request(struct session_place *place, const char *id);
/* Whether the place has published all that it was asked to of a group that is being committed. */
bool place_has_published(const struct session_place *place, size_t group);

/* messages.c */

/* One message from the worker (borrowed) with its body's length. */
void place_handle(struct session_place *place, json_object *message, size_t body_length);
/* An error of a worker, which may be anybody's: its texts are no longer than those that ours gives. */
void session_read_error(const struct session *session, struct osiris_error *error, json_object *object);
/* The worker does what the protocol forbids: breaks the place. */
void place_violates(struct session_place *place, const char *what);

/* answers.c */

/* `id` is NULL if the message has none that is a text. */
void place_take_answer(struct session_place *place, const char *id, json_object *message);
/* One place has answered what its group was asked, or cannot; the last one's answer moves the group on. */
void session_group_answered(struct session *session, size_t group, enum request_kind kind,
                            bool failed);
/* Requests of a place that is gone are not answered any more: says so to the groups. */
void place_forget_requests(struct session_place *place);
/* Files that have their names now. */
void session_note_published(struct session *session, json_object *result);

/* steps.c */

/* Notes how a step ended: record, events, metrics, observer. `error` is NULL if it has run. */
void session_step_ended(struct session *session, size_t step, json_object *result,
                        const struct osiris_error *error);
/* The metrics of the step that were held back. */
void session_tell_metrics(struct session *session, struct session_step *step);
/* What events call an error. */
const char *session_error_type(const struct osiris_error *error);

/* An event or metric with the session's own clock, and a log line that goes to the observer, too.
 * `fields` is taken. */
void session_event(struct session *session, const char *event, json_object *fields);
void session_log(struct session *session, int level, const char *source, const char *message);
/* Takes `tags`, which may be NULL. What is not finite is warned of instead. */
void session_metric(struct session *session, const char *name, double value, const char *unit,
                    json_object *tags);

/* streams.c */

int session_make_edges(struct session *session, struct osiris_error *error);
/* Numbers the streams of a step that is about to be requested, and adds them to the request. */
void session_open_streams(struct session *session, size_t step, json_object *params);
/* The step has run: it reads no more, and what it has sent is to end soon. */
void session_end_streams(struct session *session, size_t step);
/* More of a body has come from the place: the rest of its streams may wait behind it. */
void session_hear_of_streams(struct session_place *place, int64_t now);
/* Breaks places that are late with the rest of a stream; the next moment at which one can be. */
void session_check_streams(struct session *session, int64_t now);
int64_t session_next_stream_end(const struct session *session);
/* Tells producers of credit that was withheld, where there is room for what they send. */
void session_pass_credits(struct session *session);
/* The group's streams are of no use any more. */
void session_drop_streams(struct session *session, size_t group);
/* Where the body of a stream's message goes (channel_place). */
void *place_body_room(void *context, json_object *message, size_t length,
                      struct osiris_error *error);
/* The reader's worker refuses what comes of the stream, and ends: breaks the place of its producer. */
void session_blame_producer(struct session_place *reader, int64_t stream, const struct osiris_error *refusal);
/* One message of a stream: checked and passed on. False if it is none. */
bool place_pass_on(struct session_place *place, const char *type, json_object *message,
                   size_t body_length);

/* reports.c: the data of an event, a metric, a log line (borrowed) */

void place_take_event(struct session_place *place, json_object *data);
void place_take_metric(struct session_place *place, json_object *data);
void place_take_log(struct session_place *place, json_object *data);
/* What the worker prints; `context` is the place. */
void place_take_line(void *context, const char *text);
/* Of what was said, what is not on record. */
void session_tell_dropped(struct session_place *place);

/* attempts.c */

/* The plan's timeouts and retries; and, once osiris has put its own there, what artifacts there are already. */
void session_read_attempts(struct session *session);
void session_note_artifacts(struct session *session);
/* No worker lives any more: what is no artifact is left out of the record. */
void session_sweep_artifacts(struct session *session);
int session_seed_jitter(struct session *session, struct osiris_error *error);
/* A step's attempt has failed: its group is to have another one, or the run fails. Takes `error`. */
void session_step_failed(struct session *session, size_t step, struct osiris_error *error);
/* The same of a step that still runs, but too long: what it answers from now on is no news. Takes `error`. */
void session_step_overdue(struct session *session, size_t step, struct osiris_error *error);
/* What ran in the place, or waits to run there again, is lost. Takes `error`. */
void session_place_lost(struct session_place *place, struct osiris_error *error);
/* Drivers or their worker came to a bad end when all that they had to do was done: that takes nothing back. */
void session_warn_of_end(struct session_place *place, const struct osiris_error *error);
/* SCHEDULE_PAUSE */
void session_pause_group(struct session *session, size_t group);
/* Tells what was held back of the group's steps. */
void session_tell_group(struct session *session, size_t group);
/* Brings back lost places, and lets groups go on whose pause is over. Nothing starts while a place is not there. */
void session_resume_groups(struct session *session);
int64_t session_next_resumption(const struct session *session);

/* deadlines.c */

void session_check_deadlines(struct session *session);
/* The next moment at which session_check_deadlines or session_resume_groups has something to do. */
int64_t session_next_deadline(const struct session *session);
bool session_run_is_late(const struct session *session);
void session_cancel_all(struct session *session);
void session_break_all(struct session *session, int category, const char *message);

/* pause.c */

/* If osiris did not run since it was looked last: nobody's time has gone by meanwhile, and workers have a new period to be heard. */
void session_make_up_for_pause(struct session *session);

/* silence.c */

/* A heartbeat: the step's driver is in this function, and has not called its host for so long. */
void session_hear_of_function(struct session_place *place, size_t step, const char *function,
                              int64_t silent_ms);

#endif
