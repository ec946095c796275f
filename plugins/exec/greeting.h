/*
 * The conversation with the place until the relay has begun: the script is sent, the bundle if the place has not got it, and everything that
 * the place prints before the relay's first line is read, byte by byte, so that nothing of the channel is.
 */
#ifndef EXEC_GREETING_H
#define EXEC_GREETING_H

#include <osiris/adapter.h>
#include <stdbool.h>

#include "child.h"

enum greeting {
    GREETING_DONE,
    GREETING_ENDED,     /* the command has ended, or closes its output */
    GREETING_STALLED,   /* no progress in time */
    GREETING_CANCELLED,
    GREETING_REFUSED,   /* the script has given up; `text` says why */
    GREETING_NOISE,     /* too much came before the first line */
    GREETING_NO_BUNDLE, /* the archive cannot be read; errno */
};

struct greeting_options {
    const struct osiris_host *host;
    const char *script;
    const char *mark;                   /* with which the script begins (script.h) */
    const struct osiris_bundle *bundle; /* NULL: the script does not ask for it */
    int timeout_ms;                     /* without progress */
};

#define GREETING_TEXT 4096

struct greeting_result {
    char text[GREETING_TEXT]; /* of GREETING_REFUSED, or where the place has the bundle ("": it has not said it) */
    bool begun;               /* the script has begun, so the command reaches the place */
    bool uploaded;            /* the bundle was sent */
};

enum greeting greeting_await(struct child *child, const struct greeting_options *options, struct greeting_result *result);

#endif
