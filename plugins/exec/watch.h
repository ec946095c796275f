/*
 * What comes from the standard error of a command. Pieces of the worker's log (docs/protocol.md) go on to osiris; their offset is kept, so
 * that the next relay continues there. A relay also says how the worker has ended. Everything else is the command's
 * own: it explains a failure, and is logged.
 *
 * A thread for each command reads until the end. `lock` guards what it leaves for others.
 */
#ifndef EXEC_WATCH_H
#define EXEC_WATCH_H

#include <osiris/adapter.h>
#include <pthread.h>
#include <stdbool.h>

#define WATCH_TAIL 1024

struct watch {
    const struct osiris_host *host;
    int from;        /* owned */
    int stop;        /* an eventfd: the command has ended, and what is there now is all; owned */
    int diagnostics; /* where the worker's log goes; borrowed; -1: nowhere */
    pthread_t thread;
    bool has_thread;
    /* The reading thread's own. */
    char line[1024];
    size_t length;
    long long left; /* of the piece that is being read */
    pthread_mutex_t lock;
    long long *offset; /* of the worker's log: everything before it has arrived; outlives the watch */
    char tail[WATCH_TAIL]; /* the end of what the command has said itself */
    size_t tail_length;
    struct osiris_worker_exit end; /* if the relay has said it */
    bool has_end;
};

/* Takes `from`. -1 after an error. */
int watch_start(struct watch *watch, const struct osiris_host *host, int from, int diagnostics, long long *offset);
/* The command has ended: reads what is there, and ends the thread. Others may hold the descriptor open, such as the master of ssh's
 * connections. What the command has said is still there afterwards. */
void watch_join(struct watch *watch);
/* False: the relay has not said how the worker has ended. */
bool watch_read_end(struct watch *watch, struct osiris_worker_exit *end);
/* What the command has said itself, in one line. */
void watch_read_tail(struct watch *watch, char text[WATCH_TAIL]);

#endif
