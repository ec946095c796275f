/* The conversation with a script (script.h) until the relay begins, or the answer has come. */
#ifndef OSIRIS_EXEC_GREETING_H
#define OSIRIS_EXEC_GREETING_H

#include "command.h"
#include "script.h"

#define GREETING_TEXT 4352 /* of a line; a path has at most 4096 bytes */

enum greeting {
    GREETING_RELAY,     /* the next byte is the worker's */
    GREETING_ANSWER,    /* `text` is what the script answers */
    GREETING_REFUSED,   /* `text` says what is wrong with the place */
    GREETING_ENDED,     /* the output has ended */
    GREETING_STALLED,   /* no progress in time */
    GREETING_NOISE,     /* there is too much before the first line of the script */
    GREETING_CANCELLED,
    GREETING_NO_BUNDLE, /* the archive cannot be read; errno says why */
};

struct greeting_request {
    const struct osiris_host *host;
    const char *nonce, *script;
    const struct osiris_bundle *bundle;
    int timeout_ms;      /* without progress */
    bool obeys_cancel;
};

struct greeting_result {
    bool has_begun;            /* the script runs, or ran */
    int64_t uploaded;          /* bytes of the bundle */
    char name[128];            /* of the bundle's folder, or "" */
    char text[GREETING_TEXT];  /* see above; GREETING_RELAY: FOLDER */
};

enum greeting greeting_await(struct command *command, const struct greeting_request *request, struct greeting_result *result);

#endif
