/*
 * A thread that stands in for the main thread while that is in a driver's code (calls.h): it sends heartbeats, which name the
 * function, and ends the process when the orchestrator is gone or has it stop. So no driver makes the worker silent, and none keeps
 * a worker alive that is no longer needed. A worker that is stopped as a whole is silent all the same.
 */
#ifndef OSIRIS_WORKER_STAND_IN_H
#define OSIRIS_WORKER_STAND_IN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/wire/channel.h"

struct stand_in {
    struct channel *channel;
    int signal_fd;
    atomic_int link_fd;       /* the channel's descriptor, or -1: the main thread keeps it up to date */
    int64_t interval_ms;      /* of heartbeats; 0: there are none */
    int64_t resume_timeout_ms; /* how long the orchestrator may be away */
    pthread_t thread;
    bool running;
    bool ending; /* guarded by `lock` */
    pthread_mutex_t lock;
    pthread_cond_t ends;
};

/* [main thread] After hello: `channel`, `signal_fd` and the times are set. */
int stand_in_begin(struct stand_in *stand_in, struct osiris_error *error);
/* [main thread] May be called in any state. */
void stand_in_end(struct stand_in *stand_in);

#endif
