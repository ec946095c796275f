/*
 * A prepared run inside the worker: its steps, the queues between them, and what they share.
 *
 * The main thread makes and frees it and handles requests; each step has a thread of its own from execute_step
 * until it has been committed or aborted. `steps_lock` guards the steps' states and decisions, the count of
 * live threads, and batches of decisions (commit and abort requests under way).
 */
#ifndef OSIRIS_WORKER_RUN_H
#define OSIRIS_WORKER_RUN_H

#include <json-c/json.h>
#include <osiris/driver.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/channel.h"
#include "core/error.h"
#include "core/output.h"
#include "core/queue.h"
#include "core/redact.h"

struct run;

enum step_phase {
    STEP_IDLE,    /* not requested yet */
    STEP_RUNNING, /* its thread is in open, run, or the output stream */
    STEP_WAITING, /* it has run (or failed) and waits for a decision */
    STEP_CLOSED,  /* its driver is closed, its thread gone or going */
};

enum step_decision { DECIDE_NOTHING, DECIDE_COMMIT, DECIDE_PUBLISH, DECIDE_ABORT };

/* One commit or abort request: answered when the last of its steps has acted. Guarded by steps_lock. */
struct decision_batch {
    char *request_id;
    size_t waiting; /* steps that have not acted yet */
    bool commit;
    bool publishing; /* the second phase of a commit */
    json_object *step_ids;
    json_object *published;
    struct osiris_error error; /* the first */
};

struct step_edge {
    char *name;         /* of the input */
    struct step *other; /* for an input: the producer */
    struct queue *queue;
    bool open; /* an output: the reader still wants batches */
};

struct step_input_stream; /* worker/stream.c */

struct step_output_file {
    struct output *output;
    struct step_output_file *next;
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

    pthread_t thread; /* the main thread's: joined by run_free, so that drivers' thread-local data is gone, too */
    bool has_thread;

    /* Set by execute_step, before the thread starts. */
    char *request_id;
    json_object *config;
    json_object *connection;
    struct osiris_host host;

    atomic_bool cancelled;
    atomic_int_fast64_t rows, bytes; /* for heartbeats, and the final counts */
    int64_t batches;                 /* the step thread's */

    /* Guarded by run->steps_lock. */
    enum step_phase phase;
    enum step_decision decision;
    struct decision_batch *batch;
    bool succeeded; /* its run has */
    char *stopped_by; /* id of the step whose failure cancelled it, or NULL */
    pthread_cond_t decided;

    /* `interrupt_lock` guards driver_open, so that interrupt never meets a closed driver. */
    pthread_mutex_t interrupt_lock;
    bool driver_open;
    void *state;

    /* `report_lock` guards what host calls of any thread touch. */
    pthread_mutex_t report_lock;
    struct osiris_error reported;
    struct step_output_file *files;
    json_object *texts; /* an array that keeps strings alive which were handed out */
    char *artifacts_dir, *temp_dir;
};

struct run {
    struct channel *channel;
    struct redactor *redactor;
    char *run_id;
    char *artifacts_dir;
    char *temp_dir;
    struct step *steps;
    size_t step_count;
    struct queue **queues; /* by edge */
    size_t queue_count;
    pthread_mutex_t steps_lock;
    pthread_cond_t thread_ended;
    size_t live_threads;
};

/* worker/run.c */

/* Makes a run from prepare's params: environment set, drivers loaded, queues made. */
struct run *run_new(struct channel *channel, json_object *params, struct osiris_error *error);
/* All threads must have ended. Removes the temporary folder. */
void run_free(struct run *run);
struct step *run_find_step(struct run *run, const char *id);
/* What prepare answers: {drivers: [{driver, version}]}. */
json_object *run_describe(const struct run *run);
/* Cancels the steps of a group (all if negative), but `except` (or NULL), who failed. Any thread. */
void run_cancel(struct run *run, int group, const struct step *except);
/* Aborts everything, waits until all threads have ended or the time is over. True if they have. */
bool run_stop(struct run *run, int timeout_ms);

/* worker/step.c */

/* Starts the step's thread. */
int step_start(struct step *step, json_object *params, const char *request_id,
               struct osiris_error *error);
void step_cancel(struct step *step);

/* worker/decide.c: commit and abort */

void decide_commit(struct run *run, const char *request_id, json_object *step_ids);
void decide_abort(struct run *run, const char *request_id, json_object *step_ids);
/* The step has acted on its decision (or it failed to). steps_lock is not held. */
void decide_done(struct step *step, struct osiris_error *error);

/* worker/stream.c */

/* The input streams of a step, as the driver sees them. NULL: no memory. */
struct ArrowArrayStream *streams_new(struct step *step);
void streams_free(struct ArrowArrayStream *streams, size_t count);

/* worker/host.c */

void host_init(struct step *step);
/* The verb's error: what was reported, or that nothing was. Moves it. */
void host_take_error(struct step *step, const char *verb, struct osiris_error *error);
void host_remove_temp_dir(struct step *step);

/* worker/answer.c: messages to the orchestrator. Any thread; a failure to send is the main thread's to notice. */

void answer_result(struct channel *channel, const char *request_id, json_object *result,
                   bool wait);
void answer_error(struct channel *channel, const char *request_id, const struct osiris_error *error,
                  bool wait);
/* {type, data}; takes `data`. */
void answer_message(struct channel *channel, const char *type, json_object *data, bool wait);

/* worker/remove-tree.c */

/* Removes a folder and all in it, without following links. Missing is fine. */
void remove_tree(const char *path);

#endif
