/* The conversation with the place until the relay has begun; see greeting.h. */
#include "greeting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "script.h"

#define GREETING "osiris-relay 1"
#define NOISE_MAX (64 << 10) /* banners */
#define LOOK_MS 100         /* between looks at whether the run is cancelled */
#define CHUNK 65536

struct talk {
    struct child *child;
    const struct greeting_options *options;
    char line[GREETING_TEXT];
    size_t length, noise;
    const char *unsent; /* of the script */
    int archive;        /* -1: it is not being sent */
    char chunk[CHUNK];
    size_t chunk_at, chunk_end;
    int64_t deadline_ms;
    struct greeting_result *result;
};

static void note_progress(struct talk *talk)
{
    talk->deadline_ms = now_ms() + talk->options->timeout_ms;
}

static bool has_something_to_send(const struct talk *talk)
{
    return *talk->unsent != '\0' || talk->archive >= 0;
}

/* -1: the archive cannot be read. A command that reads no more will end. */
static int send_some(struct talk *talk)
{
    bool sends_script = *talk->unsent != '\0';

    if (!sends_script && talk->chunk_at == talk->chunk_end) {
        ssize_t got = read(talk->archive, talk->chunk, sizeof talk->chunk);
        if (got < 0)
            return errno == EINTR ? 0 : -1;
        if (got == 0) {
            (void)close(talk->archive);
            talk->archive = -1;
            return 0;
        }
        talk->chunk_at = 0;
        talk->chunk_end = (size_t)got;
    }
    ssize_t done = sends_script ? write(talk->child->input, talk->unsent, strlen(talk->unsent))
                                : write(talk->child->input, talk->chunk + talk->chunk_at, talk->chunk_end - talk->chunk_at);
    if (done <= 0) {
        if (done < 0 && errno == EPIPE) {
            talk->unsent = "";
            if (talk->archive >= 0)
                (void)close(talk->archive);
            talk->archive = -1;
        }
        return 0;
    }
    note_progress(talk);
    if (sends_script)
        talk->unsent += done;
    else
        talk->chunk_at += (size_t)done;
    return 0;
}

static const char *after(const char *line, const char *start)
{
    size_t length = strlen(start);

    return strncmp(line, start, length) == 0 ? line + length : NULL;
}

/* -1: go on. */
static int take_line(struct talk *talk)
{
    const char *rest;

    if (talk->length > 0 && talk->line[talk->length - 1] == '\r')
        talk->length--;
    talk->line[talk->length] = '\0';
    talk->length = 0;
    if ((rest = after(talk->line, SAYS_BEGIN)) != NULL && strcmp(rest, talk->options->mark) == 0)
        talk->result->begun = true;
    if (!talk->result->begun)
        return -1;
    if (strcmp(talk->line, GREETING) == 0)
        return GREETING_DONE;
    if ((rest = after(talk->line, SAYS_AT)) != NULL) {
        strcpy(talk->result->text, rest);
    } else if ((rest = after(talk->line, SAYS_ERROR)) != NULL) {
        strcpy(talk->result->text, rest);
        return GREETING_REFUSED;
    } else if (strcmp(talk->line, SAYS_NEED) == 0 && talk->options->bundle != NULL && !talk->result->uploaded) {
        talk->archive = open(talk->options->bundle->path, O_RDONLY | O_CLOEXEC);
        talk->result->uploaded = true;
        return talk->archive < 0 ? GREETING_NO_BUNDLE : -1;
    }
    return -1;
}

/* -1: go on. */
static int read_some(struct talk *talk)
{
    for (;;) {
        char byte;
        ssize_t got = read(talk->child->output, &byte, 1);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? -1 : GREETING_ENDED;
        if (got == 0)
            return GREETING_ENDED;
        note_progress(talk);
        if (++talk->noise > NOISE_MAX)
            return GREETING_NOISE;
        if (byte == '\n') {
            int result = take_line(talk);
            if (result >= 0)
                return result;
        } else if (talk->length < sizeof talk->line - 1) {
            talk->line[talk->length++] = byte;
        }
    }
}

static int step(struct talk *talk)
{
    struct pollfd fds[] = {{.fd = talk->child->output, .events = POLLIN},
                           {.fd = has_something_to_send(talk) ? talk->child->input : -1, .events = POLLOUT}};
    const struct osiris_host *host = talk->options->host;

    if (host->cancelled(host))
        return GREETING_CANCELLED;
    if (now_ms() >= talk->deadline_ms)
        return GREETING_STALLED;
    if (poll(fds, 2, LOOK_MS) < 0)
        return -1;
    if (fds[1].revents != 0 && send_some(talk) < 0)
        return GREETING_NO_BUNDLE;
    return fds[0].revents != 0 ? read_some(talk) : -1;
}

enum greeting greeting_await(struct child *child, const struct greeting_options *options, struct greeting_result *result)
{
    struct talk talk = {.child = child, .options = options, .unsent = options->script, .archive = -1, .result = result};
    int outcome = -1;

    *result = (struct greeting_result){.begun = false};
    (void)fcntl(child->input, F_SETFL, O_NONBLOCK);
    (void)fcntl(child->output, F_SETFL, O_NONBLOCK);
    note_progress(&talk);
    while (outcome < 0)
        outcome = step(&talk);
    if (talk.archive >= 0)
        (void)close(talk.archive);
    return (enum greeting)outcome;
}
