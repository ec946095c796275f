/* One link to the place: a run of the command whose script becomes a relay, and what it prints. */
#ifndef OSIRIS_EXEC_LINK_H
#define OSIRIS_EXEC_LINK_H

#include "command.h"
#include "greeting.h"
#include "words.h"

struct link {
    struct command command; /* pid 0: there is no link */
    struct words words;
    bool has_words;
    char nonce[SCRIPT_NONCE];
};

#define LINK_INIT                                                                                  \
    {                                                                                              \
        .command = COMMAND_INIT                                                                    \
    }

/* Of the script of the next link. -1: reported. */
int link_make_nonce(const struct osiris_host *host, char nonce[SCRIPT_NONCE]);

/* Runs the command with a script; `request` has all but its nonce, which `link` has. -1: reported; otherwise a greeting. */
int link_begin(struct link *link, const struct options *options, struct log *log, const struct greeting_request *request,
               struct greeting_result *result);
/* The relay's exit code, or that the command has ended without one. */
enum { LINK_RUNS = -1, LINK_BROKEN = -2 };
int link_wait(struct link *link, int timeout_ms);
/* Ends the command, after it had time to end by itself. */
void link_end(struct link *link, int patience_ms);
/* Does the same, and reports why there was no greeting. Always -1. */
int link_report(struct link *link, const struct osiris_host *host, const struct options *options, enum greeting greeting,
                const struct greeting_result *result);

#endif
