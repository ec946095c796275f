/* The conversation with a script; see greeting.h. */
#include "greeting.h"

#include <errno.h>
#include <fcntl.h>
#include <osiris/kit.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RELAY "osiris-relay 1"
#define NOISE_MAX (64 << 10) /* banners */
#define LOOK_MS 100          /* between looks at whether the run is cancelled */
#define GOES_ON (-1)

struct talk {
    struct command *command;
    const struct greeting_request *request;
    struct greeting_result *result;
    char line[GREETING_TEXT];
    size_t length, noise;
    const char *unsent; /* of the script */
    int archive;        /* -1: it is not being sent */
    char chunk[65536];
    size_t chunk_at, chunk_end;
    int64_t deadline_ms;
};

static void note_progress(struct talk *talk)
{
    talk->deadline_ms = now_ms() + talk->request->timeout_ms;
}

/* Sending: the script, and the archive if the place wants it. */

static bool sends_script(const struct talk *talk)
{
    return *talk->unsent != '\0';
}

static void stop_sending(struct talk *talk)
{
    talk->unsent = "";
    close_fd(&talk->archive);
}

static int read_archive(struct talk *talk)
{
    ssize_t got;

    do {
        got = read(talk->archive, talk->chunk, sizeof talk->chunk);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return GREETING_NO_BUNDLE;
    if (got == 0)
        stop_sending(talk);
    talk->chunk_at = 0;
    talk->chunk_end = (size_t)got;
    return GOES_ON;
}

static int send_some(struct talk *talk)
{
    if (!sends_script(talk) && talk->chunk_at == talk->chunk_end)
        return read_archive(talk);
    const char *bytes = sends_script(talk) ? talk->unsent : talk->chunk + talk->chunk_at;
    const size_t length = sends_script(talk) ? strlen(bytes) : talk->chunk_end - talk->chunk_at;
    const ssize_t done = write(talk->command->input, bytes, length);
    if (done < 0) {
        /* A command that does not read any more has something to say, or has ended. */
        if (errno != EAGAIN && errno != EINTR)
            stop_sending(talk);
        return GOES_ON;
    }
    note_progress(talk);
    if (sends_script(talk)) {
        talk->unsent += done;
    } else {
        talk->chunk_at += (size_t)done;
        talk->result->uploaded += done;
    }
    return GOES_ON;
}

/* Reading. */

static const char *after(const char *text, const char *start)
{
    const size_t length = strlen(start);

    return strncmp(text, start, length) == 0 ? text + length : NULL;
}

static int begin_upload(struct talk *talk)
{
    const struct osiris_bundle *bundle = talk->request->bundle;

    osiris_log(talk->request->host, OSIRIS_INFO, "sending the bundle (%.1f MB)", (double)bundle->size / 1e6);
    close_fd(&talk->archive);
    talk->archive = open(bundle->path, O_RDONLY | O_CLOEXEC);
    return talk->archive < 0 ? GREETING_NO_BUNDLE : GOES_ON;
}

/* `text`: what follows the nonce. */
static int take_message(struct talk *talk, const char *text)
{
    struct greeting_result *result = talk->result;
    const char *rest;
    int end = 0;

    result->has_begun = true;
    if (strcmp(text, "wants") == 0)
        return begin_upload(talk);
    if ((rest = after(text, "at ")) != NULL && sscanf(rest, "%127s %n", result->name, &end) == 1 && rest[end] == '/') {
        strcpy(result->text, rest + end);
        return GOES_ON;
    }
    if ((rest = after(text, "answers ")) == NULL && (rest = after(text, "failed ")) == NULL)
        return GOES_ON;
    strcpy(result->text, rest);
    return text[0] == 'a' ? GREETING_ANSWER : GREETING_REFUSED;
}

static int take_line(struct talk *talk)
{
    char start[64];

    if (talk->length > 0 && talk->line[talk->length - 1] == '\r')
        talk->length--;
    talk->line[talk->length] = '\0';
    talk->length = 0;
    snprintf(start, sizeof start, SCRIPT_PLACE " %s ", talk->request->nonce);
    const char *text = after(talk->line, start);
    if (text != NULL)
        return take_message(talk, text);
    /* Before the place has named its folder, this is a banner that only looks like it. */
    return talk->result->name[0] != '\0' && strcmp(talk->line, RELAY) == 0 ? GREETING_RELAY : GOES_ON;
}

/* Byte by byte: what follows the relay's first line is not for us. */
static int read_some(struct talk *talk)
{
    for (;;) {
        char byte;
        ssize_t got = read(talk->command->output, &byte, 1);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return GOES_ON;
        if (got <= 0)
            return GREETING_ENDED;
        if (talk->result->has_begun)
            note_progress(talk);
        if (++talk->noise > NOISE_MAX)
            return GREETING_NOISE;
        if (byte != '\n') {
            if (talk->length < sizeof talk->line - 1)
                talk->line[talk->length++] = byte;
            continue;
        }
        const int result = take_line(talk);
        if (result != GOES_ON)
            return result;
    }
}

static int step(struct talk *talk)
{
    const bool sends = sends_script(talk) || talk->archive >= 0;
    struct pollfd fds[] = {{.fd = talk->command->output, .events = POLLIN},
                           {.fd = sends ? talk->command->input : -1, .events = POLLOUT}};
    const struct osiris_host *host = talk->request->host;

    if (talk->request->obeys_cancel && host->cancelled(host))
        return GREETING_CANCELLED;
    const int64_t left = talk->deadline_ms - now_ms();
    if (left <= 0)
        return GREETING_STALLED;
    if (poll(fds, 2, left < LOOK_MS ? (int)left : LOOK_MS) <= 0)
        return GOES_ON;
    if (fds[0].revents != 0) {
        const int result = read_some(talk);
        if (result != GOES_ON)
            return result;
    }
    return fds[1].revents != 0 ? send_some(talk) : GOES_ON;
}

enum greeting greeting_await(struct command *command, const struct greeting_request *request, struct greeting_result *result)
{
    struct talk talk = {.command = command, .request = request, .result = result, .unsent = request->script, .archive = -1};
    int outcome = GOES_ON;

    *result = (struct greeting_result){.uploaded = 0};
    (void)fcntl(command->input, F_SETFL, O_NONBLOCK);
    (void)fcntl(command->output, F_SETFL, O_NONBLOCK);
    note_progress(&talk);
    while (outcome == GOES_ON)
        outcome = step(&talk);
    const int reason = errno;
    close_fd(&talk.archive);
    errno = reason;
    return (enum greeting)outcome;
}
