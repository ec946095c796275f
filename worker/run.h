/*
 * A prepared run inside the worker: its steps, the queues between them, and what they share.
 *
 * The main thread makes and frees it and handles requests; each step has a thread of its own from its first execute_step
 * on, which works until the step has been committed or aborted.
 */
#ifndef OSIRIS_WORKER_RUN_H
#define OSIRIS_WORKER_RUN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/redact.h"
#include "core/output/output.h"
#include "core/wire/channel.h"
#include "worker/home.h"
#include "worker/step.h"

/* The working directory and the umask at the start: drivers may change those of the process. */
struct worker_origin {
    struct output_origin output;
    char *path; /* NULL: the folder has no path any more */
};

/* The streams of the run. Owned by the main thread. */
struct run_streams {
    int64_t *numbers; /* all numbers that requests have named */
    size_t count, capacity;
    struct link_input *quiet_input; /* whose reader may not have been woken for everything that has arrived */
    uint8_t *discarded; /* FRAME_MAXIMUM_BODY bytes, or NULL: bodies of streams that are gone */
};

/* What the steps' outputs share. `lock` guards it, but for the descriptor, which does not change. */
struct run_outputs {
    pthread_mutex_t lock;
    int stdout_fd; /* the command's standard output, or -1; outlives the run */
    bool stdout_taken; /* a step uses it; a second one would interleave with it */
    dev_t hidden_device; /* the folder where files were hidden last */
    ino_t hidden_folder;
};

struct run {
    /* Constant from run_new to run_free. */
    const struct worker_origin *origin; /* outlives the run */
    struct channel *channel;
    struct redactor *redactor;
    char *run_id;
    char *artifacts_dir;
    char *temp_root; /* prepare's temp_dir */
    bool made_temp_root; /* it did not exist before */
    char *temp_dir;  /* a folder in it with a unique name: the only one that is removed with its contents */
    int temp_lock;   /* its descriptor (core/output/litter.h), or -1 */
    struct step *steps;
    size_t step_count;

    struct home *home; /* NULL: the pipeline's files are here */

    struct run_streams streams; /* the main thread's */
    struct run_outputs outputs; /* under its lock */

    pthread_mutex_t steps_lock; /* guards each step's fate, the decisions, and: */
    pthread_cond_t work_ended;
    size_t busy_threads;
    bool edges_are_old; /* those of some step */
    bool stopping;      /* for good: nothing is published that was not about to be */
};

/* NULL: no step has that id. */
struct step *run_find_step(const struct run *run, const char *id);

#endif
