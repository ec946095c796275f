/* Links; see link.h. */
#include "link.h"

#include <errno.h>
#include <osiris/kit.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "errors.h"

#define LAST_WORDS_MS 2000 /* for a command that has closed its output to end */
#define TICK_MS 20
#define DRAIN_MS 50        /* for what it has printed to be read, if others keep its pipe open */

int link_make_nonce(const struct osiris_host *host, char nonce[SCRIPT_NONCE])
{
    unsigned char bytes[(SCRIPT_NONCE - 1) / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return osiris_fail(host, OSIRIS_ERROR_IO, 0, errno, NULL, NULL, "cannot get random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int link_begin(struct link *link, const struct options *options, struct log *log, const struct greeting_request *request,
               struct greeting_result *result)
{
    struct greeting_request whole = *request;

    *result = (struct greeting_result){.uploaded = 0};
    if (request->script == NULL)
        return osiris_fail(request->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    if (command_start(&link->command, options, request->host) < 0)
        return -1;
    const int errors = link->command.errors;
    link->command.errors = -1;
    if (words_start(&link->words, request->host, log, errors, link->nonce) < 0) {
        command_end(&link->command, 0);
        return -1;
    }
    link->has_words = true;
    whole.nonce = link->nonce;
    return (int)greeting_await(&link->command, &whole, result);
}

int link_wait(struct link *link, int timeout_ms)
{
    const int64_t deadline = now_ms() + timeout_ms;
    bool is_over = false;
    int code;

    if (!link->has_words)
        return LINK_BROKEN;
    for (;;) {
        const int64_t left = deadline - now_ms();
        code = words_wait(&link->words, left < TICK_MS ? (left > 0 ? (int)left : 0) : TICK_MS, &is_over);
        if (code >= 0)
            return code;
        if (is_over)
            return LINK_BROKEN;
        /* Somebody else may hold its standard error open. */
        if (command_wait(&link->command, 0))
            break;
        if (left <= 0)
            return LINK_RUNS;
    }
    words_drain(&link->words, DRAIN_MS);
    code = words_wait(&link->words, 0, &is_over);
    return code >= 0 ? code : LINK_BROKEN;
}

void link_end(struct link *link, int patience_ms)
{
    command_end(&link->command, patience_ms);
    if (link->has_words)
        words_end(&link->words);
    link->has_words = false;
}

int link_report(struct link *link, const struct osiris_host *host, const struct options *options, enum greeting greeting,
                const struct greeting_result *result)
{
    const int reason = errno;
    char tail[WORDS_TAIL], name[ERRORS_NAME];
    struct command ended;
    bool is_over = false;

    /* What it says may come after it has closed its output. */
    if (greeting == GREETING_ENDED || greeting == GREETING_REFUSED)
        (void)command_wait(&link->command, LAST_WORDS_MS);
    ended = link->command;
    if (ended.ended)
        words_drain(&link->words, DRAIN_MS);
    words_read_tail(&link->words, tail);
    const int code = words_wait(&link->words, 0, &is_over);
    const struct log *log = link->words.log;
    link_end(link, 0);
    if (greeting == GREETING_ENDED && code >= 0) {
        log_read_tail(log, tail, sizeof tail);
        return errors_place(host, options, "the worker cannot be started there", tail);
    }
    switch (greeting) {
    case GREETING_ENDED:
        return errors_command(host, options, &ended, "has closed its output", tail);
    case GREETING_STALLED:
        return errors_command(host, options, &ended, "does not answer", tail);
    case GREETING_NOISE:
        return osiris_fail(host, OSIRIS_ERROR_CONNECTION, 0, 0, NULL, "only a short banner may come before what the place answers",
                           "the command \"%s\" prints too much", errors_name(options, name));
    case GREETING_CANCELLED:
        return osiris_fail(host, OSIRIS_ERROR_CANCELLED, 0, 0, NULL, NULL, "cancelled while the command \"%s\" was connecting",
                           errors_name(options, name));
    case GREETING_NO_BUNDLE:
        return osiris_fail(host, OSIRIS_ERROR_IO, 0, reason, NULL, NULL, "cannot read \"%s\": %s",
                           result->uploaded == 0 ? "the bundle" : "the rest of the bundle", strerror(reason));
    case GREETING_REFUSED:
        return errors_place(host, options, result->text, tail);
    case GREETING_RELAY:
    case GREETING_ANSWER:
        break;
    }
    return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "unexpected answer from the place");
}
