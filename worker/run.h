/*
 * A prepared run inside the worker: its steps, the queues between them, and what they share.
 *
 * The main thread makes and frees it and handles requests; each step has a thread of its own from its first execute_step
 * on, which works until the step has been committed or aborted. `steps_lock` guards the steps' states and decisions, the count of
 * live threads, and batches of decisions (commit and abort requests under way).
 */
#ifndef OSIRIS_WORKER_RUN_H
#define OSIRIS_WORKER_RUN_H

#include <json-c/json.h>
#include <osiris/driver.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/wire/channel.h"
#include "core/base/error.h"
#include "core/base/fingerprint.h"
#include "core/plugin/host-values.h"
#include "core/output/output.h"
#include "worker/queue.h"
#include "core/base/redact.h"
#include "worker/link.h"

struct run;

enum step_phase {
    STEP_IDLE,    /* not requested yet */
    STEP_RUNNING, /* its thread is in open, run, or the output stream */
    STEP_WAITING, /* it has run (or failed) and waits for a decision */
    STEP_CLOSED,  /* its driver is closed, its thread waits or is about to */
};

/* What its thread is to do next. */
enum step_call { CALL_RUN, CALL_END };

enum step_decision { DECIDE_NOTHING, DECIDE_COMMIT, DECIDE_PUBLISH, DECIDE_CLOSE, DECIDE_ABORT };

/* One commit or abort request: answered when the last of its steps has acted. Guarded by steps_lock. */
struct decision_batch {
    char *request_id;
    size_t waiting; /* steps that have not acted yet */
    enum step_decision stage; /* what they were told last */
    bool commit_only; /* what comes next comes with a request of its own */
    struct step **steps; /* borrowed from the run; NULL: there is none of that name */
    size_t step_count;
    json_object *published;
    struct osiris_error error; /* the first */
};

struct step_edge {
    char *name;     /* of the input */
    char *other_id; /* for an input: the producing step */
    size_t number;  /* in the plan */
    struct queue *queue;             /* NULL: an output whose reader is in another place */
    struct link_input *link_input;   /* an input from another place, behind its queue; owned */
    struct link_output *link_output; /* an output to another place; owned */
    bool open; /* an output: the reader still wants batches */
};

struct step_output_file {
    struct output *output;
    char identity[FINGERPRINT_SIZE]; /* the same for every path to the file; "": it is none */
    bool claimed; /* for this step (worker/claims.c) */
    struct step_output_file *next;
};

/* What a driver holds of its host in one attempt, until its close has returned: the table, the inputs. */
struct hosting {
    struct host_values values; /* the first: the host table reads them */
    struct osiris_host table;
    const char *driver;
    struct input_stream *streams; /* see worker/stream.c */
    struct osiris_input *inputs;
    struct hosting *next;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    struct step *step; /* NULL: it is over */
    unsigned callers;  /* that are inside */
    bool told;         /* of a call that came too late */
};

struct step {
    struct run *run;
    char *id;
    char *component; /* as the pipeline calls it */
    const struct osiris_driver *driver;
    int group;
    size_t rank; /* its place in the run */
    struct step_edge *inputs;
    size_t input_count;
    struct step_edge *outputs;
    size_t output_count;

    /* The main thread's. It waits between attempts, and is joined by run_free, so that drivers' thread-local data is gone, too. */
    pthread_t thread;
    bool has_thread;
    enum step_call call; /* set before `called` goes up */
    sem_t called;

    /* Set by execute_step, before the thread starts. */
    char *request_id;
    char *verb; /* "run", "check", … */
    json_object *connection;
    struct hosting *hosting; /* this attempt's; NULL before the first */

    atomic_bool cancelled;
    atomic_int_fast64_t rows, bytes; /* for heartbeats, and the final counts */
    int64_t batches;                 /* the step thread's */
    atomic_bool touched; /* its driver has been given a batch, or the end of an input */
    /* Signs of life (worker/signs.c). */
    _Atomic(const char *) function; /* of the driver that the step thread is in, or NULL */
    atomic_uint signs;
    atomic_int host_waits;
    const char *seen_function; /* these are the main thread's */
    unsigned seen_signs;
    int64_t silent_since_ms;
    json_object *artifacts; /* what stood in its folder before the first attempt here; NULL: unknown */

    /* Guarded by run->steps_lock. */
    enum step_phase phase;
    bool busy; /* its thread has something left to do for the attempt */
    enum step_decision decision;
    struct decision_batch *batch;
    bool succeeded; /* its run has */
    bool committed; /* and was published: it is never run again */
    bool prepared; /* its commit has passed the first phase alone */
    char *stopped_by; /* id of the step whose failure cancelled it, or NULL */
    bool edges_are_old; /* its streams still have what an attempt left that was aborted */
    pthread_cond_t decided;

    /* `interrupt_lock` guards driver_open, so that interrupt never meets a closed driver. */
    pthread_mutex_t interrupt_lock;
    bool driver_open;
    void *state;

    /* `report_lock` guards what host calls of any thread touch. */
    pthread_mutex_t report_lock;
    struct osiris_error reported;
    json_object *result; /* what a verb but run has given, or NULL */
    struct step_output_file *files; /* in the order in which they were opened */
    bool outputs_complete; /* no more may be opened */
    int shelf; /* of those that are finished early (output.h), or -1 */
    char *artifacts_dir, *temp_dir;
};

/* Where the worker stood when it was started: drivers may go elsewhere, and take its umask along. */
struct worker_origin {
    struct output_origin output;
    char *path; /* NULL: it has none any more */
};

struct run {
    const struct worker_origin *origin; /* outlives the run */
    struct channel *channel;
    struct redactor *redactor;
    char *run_id;
    char *artifacts_dir;
    char *temp_root; /* prepare's temp_dir */
    bool made_temp_root; /* it was not there */
    char *temp_dir;  /* a folder in it with a name of our own: the only one that is ever removed with what it has */
    int temp_lock;   /* its descriptor (core/output/litter.h), or -1 */
    int stdout_fd; /* the command's standard output, or -1; outlives the run */
    _Atomic bool stdout_taken; /* a step has it now: another would mix with it */
    struct step *steps;
    size_t step_count;
    struct queue **queues; /* by edge; NULL: neither end reads here */
    size_t queue_count;
    int64_t *streams; /* all numbers that requests have named */
    size_t stream_count, stream_capacity;
    struct link_input *quiet_input; /* the main thread's: whose reader may not know yet of all that has come */
    uint8_t *discarded; /* FRAME_MAXIMUM_BODY bytes, or NULL: bodies that nobody wants */
    pthread_mutex_t steps_lock;
    pthread_cond_t work_ended;
    dev_t hidden_device; /* the folder where files were hidden last; guarded by steps_lock */
    ino_t hidden_folder;
    size_t busy_threads;
    bool edges_are_old; /* those of some step */
};

/* worker/run.c */

/* Makes a run from prepare's params: environment set, drivers loaded, queues made. */
struct run *run_new(struct channel *channel, json_object *params, const struct worker_origin *origin, int stdout_fd,
                    struct osiris_error *error);
/* Removes the temporary folder, if any was made. */
void run_remove_temp_dir(struct run *run);
/* No thread may work any more (run_stop). Ends them, and removes the temporary folder. */
void run_free(struct run *run);
struct step *run_find_step(struct run *run, const char *id);
/* What prepare answers: {drivers: [{driver, version}]}. */
json_object *run_describe(const struct run *run);
/* Cancels the steps of a group (all if negative), but `except` (or NULL), who failed. Any thread. */
void run_cancel(struct run *run, int group, const struct step *except);
/* Aborts everything, waits until no thread works any more or the time is over. True if none does. */
bool run_stop(struct run *run, int timeout_ms);

/* worker/step.c */

/* Has the step's thread run it. */
int step_start(struct step *step, json_object *params, const char *request_id,
               struct osiris_error *error);
void step_cancel(struct step *step);
/* [main thread] Ends its thread, which waits. */
void step_end_thread(struct step *step);

/* worker/signs.c: whether a driver that was called still does something */

/* [step thread] Around each call of a driver's function, which is not a host's wait. The name is kept. */
void signs_enter(struct step *step, const char *function);
void signs_leave(struct step *step);
/* [any thread] The driver has called its host; or it waits there, between these two. */
void signs_give(struct step *step);
void signs_begin_wait(struct step *step);
void signs_end_wait(struct step *step);
/* [main thread] The driver's function that is being called, or NULL, and for how long nothing was heard of it, as far as looks
 * have shown. */
const char *signs_look(struct step *step, int64_t *silent_ms);
/* [main thread] So long the process did not run. */
void signs_excuse(struct step *step, int64_t pause_ms);

/* worker/inquire.c: the verbs that run nothing */

bool inquire_is_verb(const char *verb);
/* Calls the step's verb, which is not "run". */
int inquire(struct step *step, struct osiris_error *error);

/* worker/decide.c: commit and abort */

enum commit_phase { COMMIT_BOTH, COMMIT_ONLY, COMMIT_PUBLISH };

void decide_commit(struct run *run, const char *request_id, json_object *step_ids,
                   enum commit_phase phase);
/* `because`: the step that failed, or NULL. */
void decide_abort(struct run *run, const char *request_id, json_object *step_ids,
                  const char *because);
/* The step has acted on its decision (or it failed to). steps_lock is not held. */
void decide_done(struct step *step, struct osiris_error *error);

/* worker/edge.c: a step's streams, wherever their other ends are */

/* [producer] To all readers; `batch` is taken. */
int edges_set_schema(struct step *step, const struct ArrowSchema *schema,
                     struct osiris_error *error);
int edges_hand_out(struct step *step, const struct ArrowSchema *schema, struct ArrowArray *batch,
                   uint64_t bytes, struct osiris_error *error);
size_t edges_open_readers(const struct step *step);
/* The end of a step's streams on either side. Inputs that were not read to their end want no more. */
void edges_end(struct step *step, bool success);
/* [any thread] Wakes whoever waits on one of the step's streams. */
void edges_cancel(struct step *step);
/* [main thread] Numbers of a new attempt, from execute_step's params. */
int edges_open(struct step *step, json_object *params, struct osiris_error *error);
/* [main thread, which takes in what streams bring; none of these steps' threads runs] The streams of steps that were aborted
 * become as they were before the first attempt. */
void edges_renew_old(struct run *run);
/* [main thread] Notes the streams that an execute_step names. -1: one was named before, a violation. */
int run_claim_streams(struct run *run, json_object *params, struct osiris_error *error);
/* [main thread] A message of a stream, and the room for its body: see link.h. A stream that is not there (any more) is no
 * error; its bodies go to run->discarded. */
void *run_stream_room(struct run *run, json_object *message, size_t length,
                      struct osiris_error *error);
/* 1: handled, 0: it is no message of a stream, -1: a violation. */
int run_take_stream_message(struct run *run, json_object *message, size_t body_length,
                            struct osiris_error *error);
/* [main thread] Nothing more is there to take, for now: the reader of what came last must know. */
void run_wake_reader(struct run *run);

/* worker/hosting.c */

/* [main thread] Lives for as long as the process. */
struct hosting *hosting_new(struct step *step);
/* [any thread] Around what a driver's call to its host does for it: the step that it is for. NULL: that is over; there is no
 * leaving then. */
struct step *hosting_enter(struct hosting *hosting);
void hosting_leave(struct step *step);
/* [step thread] The driver is closed: who comes from now on is not heard. Waits for those who are inside. */
void hosting_end(struct hosting *hosting);

/* worker/stream.c */

/* Makes the step's input streams, as the driver sees them, in its hosting. -1: no memory. */
int streams_open(struct step *step);
/* The run is over: nothing more is to be read. */
void streams_end(struct step *step);
/* The step has succeeded. A writer that has read nothing of what there is has not; who has read less than all is told of. */
int streams_check_read(struct step *step, struct osiris_error *error);

/* worker/columns.c */

/* Once a stream. */
void columns_warn_of_equal_names(struct step *step, const struct ArrowSchema *schema);

/* worker/host.c */

/* Fills the hosting's table. */
void host_init(struct step *step);
/* The verb has returned `result`. 0: it has succeeded; -1 with its error, which is what was reported, or that nothing was.
 * What is reported while it is called is an error of it, whatever it returns. */
int host_end_verb(struct step *step, const char *verb, int result, struct osiris_error *error);
bool host_has_report(struct step *step);
/* The same for a function that cannot fail: a warning. */
void host_warn_of_report(struct step *step, const char *function);
/* What was reported since the verb failed is of no interest. */
void host_forget_report(struct step *step);
/* [any thread] As if the driver had reported it. */
void host_report(struct step *step, const struct osiris_error *error);
/* [any thread] A line of the log that the host has to say of the step. It may wait for a slow orchestrator. */
void host_say(struct step *step, const char *level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void host_remove_temp_dir(struct step *step);
/* A copy of what a driver says, without secrets, and cut if it is beyond all bounds. NULL: no memory. */
char *host_clean_text(const struct step *step, const char *text);
/* The driver is closed: what of its artifacts cannot be brought home is left out, with a warning. */
void host_sweep_artifacts(struct step *step);
/* Before a first attempt: notes what artifacts there are. Before another one: removes what has come since. */
void host_renew_artifacts(struct step *step);

/* [any thread] A driver's call of a host function, as hosting_enter; NULL, too, if the host or what is `given` is NULL, which the
 * driver is blamed for. */
struct step *host_enter(const struct osiris_host *host, const char *function, const void *given, const char *what);

/* worker/files.c */

/* The table's. */
int files_open_input(const struct osiris_host *host, const char *path, int *fd);
int files_open_output(const struct osiris_host *host, const char *path, const struct osiris_output_options *options, int *fd);
int files_finish_output(const struct osiris_host *host, int fd);
/* All is written: of whatever kind the step is. */
int files_finish_all(struct step *step, struct osiris_error *error);
/* The driver has committed, and opens no more. What is left to publish is a rename each. */
int files_make_ready(struct step *step, struct osiris_error *error);
/* Closes all outputs, the last one first: the first may have made the folder. */
void files_close_all(struct step *step);

/* worker/claims.c */

/* Before the file is one of the step's: notes that the step writes it. -1: another one does, or the step does already; it is a
 * matter of the file, not of its path. */
int claims_take(const struct step *step, struct step_output_file *file, struct osiris_error *error);
/* The file was not published. */
void claims_drop(const struct run *run, const struct step_output_file *file);
/* The run is over: forgets what this worker's steps have written. */
void claims_remove_all(struct run *run);

/* worker/answer.c: messages to the orchestrator. Any thread; a worker that cannot send what it owes ends. */

/* Never wait, are never dropped (channel_send_owed). */
void answer_result(struct channel *channel, const char *request_id, json_object *result);
void answer_error(struct channel *channel, const char *request_id,
                  const struct osiris_error *error);
/* The same for a step that has had no influence on the world yet. */
void answer_untouched(struct channel *channel, const char *request_id,
                      const struct osiris_error *error);
/* The files that a commit has published; its result follows when the drivers are closed. Takes `published`. */
void answer_published(struct channel *channel, const char *request_id, json_object *published);
/* {type, data}; takes `data`. `wait` as for channel_send: nothing is read for that long, and the worker ends. */
void answer_message(struct channel *channel, const char *type, json_object *data, bool wait);

#endif
