/*
 * Commit and abort requests: each waits for all of its steps, whose own threads act.
 *
 * A commit has stages, each of which all of its steps complete before the next one begins. No output of a group is published if a
 * driver's commit fails. If an output cannot be published, the others are retracted. No driver is closed before everything is published
 * and the orchestrator has been notified, so a crash in close does not undo anything.
 */
#ifndef OSIRIS_WORKER_DECIDE_H
#define OSIRIS_WORKER_DECIDE_H

#include <json-c/json.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "worker/requests.h"

struct run;
struct step;

enum step_phase {
    STEP_IDLE,    /* not requested yet */
    STEP_RUNNING, /* its thread is in open, run, or the output stream */
    STEP_DECIDABLE, /* it has run (or failed) and waits for a decision */
    STEP_CLOSED,  /* its driver is closed; its thread waits, or is about to */
};

enum decision_stage { DECIDE_NOTHING, DECIDE_COMMIT, DECIDE_PUBLISH, DECIDE_RETRACT, DECIDE_CLOSE, DECIDE_ABORT };

/* A commit or abort request: answered when the last of its steps has acted. Guarded by run->steps_lock. */
struct decision {
    char *request_id;
    size_t waiting; /* steps that have not acted yet */
    enum decision_stage stage; /* what they do now */
    bool commit_only; /* the second phase has its own request */
    struct step **steps; /* borrowed from the run; NULL: there is no step with that id */
    size_t step_count;
    json_object *published; /* a commit's */
    size_t kept;        /* files that could not be taken back */
    char *kept_message; /* of the first */
    struct osiris_error error; /* the first */
};

/* The phase of a step, and its decision. Guarded by run->steps_lock. */
struct step_fate {
    enum step_phase phase;
    bool busy; /* its thread works on an attempt */
    bool thread_ended; /* the driver has ended its thread: the next attempt needs another */
    bool thread_left;  /* the thread no longer touches the step or the run */
    enum decision_stage stage; /* what its thread is to do next */
    pthread_cond_t decided;
    struct decision *decision; /* the decision that it is part of, until all of it is done, or NULL */
    bool acting;               /* the decision waits for it */
    bool succeeded; /* its run */
    bool prepared;  /* the first phase of its commit is done */
    bool committed; /* its outputs were to be published: it is never run again */
    char *stopped_by; /* id of the step whose failure cancelled it, or NULL */
    bool edges_are_old; /* its streams still contain what an aborted attempt has left */
};

/* [main thread] */
void decide_commit(struct run *run, const char *request_id, const struct steps_request *request);
/* [main thread] */
void decide_abort(struct run *run, const char *request_id, const struct steps_request *request);

/* [main thread] The worker stops: a group that is being committed is not published any more, by none of its steps; one
 * that is being published is published, or taken back, by all of them. All other steps abort. Waits until no thread
 * works any more or the time is up. True if none does. */
bool decide_stop_all(struct run *run, int timeout_ms);

/* [step's thread] Waits for the next stage. */
enum decision_stage decide_wait(struct step *step);
/* [step's thread] It has acted on its decision (or failed to). run->steps_lock is not held. */
void decide_done(struct step *step, struct osiris_error *error);
/* [step's thread] The same, and the driver is closed: the attempt is over, and the thread waits for the next one. */
void decide_closed(struct step *step, struct osiris_error *error);
/* [step's thread] The driver is ending the thread. Must be the thread's last call of our code. */
void decide_note_thread_end(struct step *step);
void decide_note_thread_left(struct step *step);
/* [main thread] Waits until the thread has left. That takes our own code only. */
void decide_wait_for_thread(struct step *step);
/* [step's thread] Publishing starts: the step is never run again. */
void decide_note_publishing(struct step *step);
/* [step's thread] A file could not be taken back, for this reason. */
void decide_note_kept(struct step *step, const char *message);
/* [step's thread] A file has appeared: {step_id, path, bytes}, taken. */
void decide_note_published(struct step *step, json_object *entry);

#endif
