/*
 * What a command prints to its standard error: first words of its own (warnings, banners), then, after a line that only the script of
 * this link can have printed, the worker's log, and at last a line about how the relay has ended. A thread reads it while the command
 * runs. It ends with the pipe, or when words_end says so: a process that the command has left behind may keep the pipe open.
 */
#ifndef OSIRIS_EXEC_WORDS_H
#define OSIRIS_EXEC_WORDS_H

#include <osiris/host.h>
#include <pthread.h>
#include <stdbool.h>

#include "log.h"
#include "script.h"

#define WORDS_TAIL 1024

struct words {
    const struct osiris_host *host;
    struct log *log; /* borrowed */
    int from, stop;  /* the pipe, and an eventfd; owned */
    char nonce[SCRIPT_NONCE];
    pthread_t thread;
    bool has_thread;
    /* The thread's own. */
    enum { WORDS_COMMANDS, WORDS_LOG, WORDS_END } stage;
    char line[512];
    size_t length;
    char mark[64]; /* what a line about the relay's end begins with */
    size_t held;   /* bytes of `mark` that have come, and may be of the log */
    bool holds_newline, is_at_line_start;
    /* Guarded by `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char tail[WORDS_TAIL]; /* the newest words of the command's own, in one line */
    size_t tail_length;
    int relay_code; /* -1: not yet */
    bool is_over;   /* nothing more will come */
};

/* Takes `from`. -1: reported. */
int words_start(struct words *words, const struct osiris_host *host, struct log *log, int from, const char *nonce);
/* Waits for the exit code of the relay; -1: it has not come, and will not if *is_over. */
int words_wait(struct words *words, int timeout_ms, bool *is_over);
/* Waits a limited time until everything has been read. */
void words_drain(struct words *words, int timeout_ms);
/* The last lines of the command's own words, in one line. */
void words_read_tail(struct words *words, char text[WORDS_TAIL]);
void words_end(struct words *words);

#endif
