/* Carrying the contents of files; see home-pump.h. */
#include "worker/home-pump.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/wire/batch.h"
#include "core/wire/body.h"
#include "worker/home-state.h"
#include "worker/run.h"

#define LITTLE (32 << 10)  /* bytes in a pipe that are worth a message */
#define REST_NS 150000     /* otherwise the pump waits that long for more */

/* A driver is not silent while we make it wait. */
static void note_wait(struct home_file *file, bool waits)
{
    struct step_signs *signs = waits && !file->released ? &file->step->signs : NULL;

    if (signs == file->waits)
        return;
    if (file->waits != NULL)
        signs_end_wait(file->waits);
    if (signs != NULL)
        signs_begin_wait(signs);
    file->waits = signs;
}

static void drop_bytes(struct home_file *file)
{
    while (file->first != NULL) {
        struct home_bytes *bytes = file->first;
        file->first = bytes->next;
        body_free(bytes->body);
        free(bytes);
    }
    file->last = NULL;
    window_close(&file->window);
}

/* Nothing is carried any more. A driver that writes gets EPIPE, one that reads gets to an end. */
static void end_carrying(struct home_file *file)
{
    note_wait(file, false);
    drop_bytes(file);
    cleanup_close_value(&file->pump_end);
    file->pump_end = -1;
    file->over = true;
}

/* Outputs. */

struct sent_bytes {
    struct iovec piece;
};

static void free_sent(void *owner)
{
    struct sent_bytes *sent = owner;

    body_free(sent->piece.iov_base);
    free(sent);
}

/* In the lane of bodies, so that it stays behind the file's contents. `body` is taken (NULL: none). */
static void send_in_order(struct home *home, const char *type, json_object *data, void *body, size_t length)
{
    _cleanup_json_ json_object *message = home_message(type, data);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct sent_bytes *sent = body == NULL ? NULL : malloc(sizeof *sent);
    struct channel_body carried = {.piece_count = 1, .length = length, .release = free_sent, .owner = sent};

    if (sent != NULL) {
        sent->piece = (struct iovec){.iov_base = body, .iov_len = length};
        carried.pieces = &sent->piece;
    }
    if (channel_send_body(home->channel, message, sent == NULL ? NULL : &carried, &error) < 0)
        channel_fail(home->channel, type, &error);
}

/* Replaces *body by a smaller copy, if that is worth it. Returns the codec, or NULL. */
static const char *compress(const struct home_file *file, void **body, size_t *length)
{
    const char *codec = pace_codec(&file->pace);
    void *smaller = NULL;
    size_t smaller_length = 0;

    if (codec == NULL || wire_compress(codec, *body, *length, &smaller, &smaller_length) < 0 || smaller == NULL)
        return NULL;
    void *copy = body_new(NULL, smaller_length);
    if (copy != NULL) {
        memcpy(copy, smaller, smaller_length);
        body_free(*body);
        *body = copy;
        *length = smaller_length;
    }
    free(smaller);
    return copy == NULL ? NULL : codec;
}

static void send_contents(struct home_file *file, void *body, size_t length)
{
    size_t size = length;
    json_object *data = home_data(file);
    const char *codec = compress(file, &body, &length);

    if (codec != NULL) {
        json_add_string(data, "codec", codec);
        json_add_integer(data, "size", (int64_t)size);
    }
    file->credit -= (int64_t)size;
    file->sent += (int64_t)size;
    send_in_order(file->home, "file_data", data, body, length);
}

static void send_finish(struct home_file *file)
{
    static const char *const names[] = {[HOME_ASIDE] = "aside", [HOME_READY] = "ready"};
    json_object *data = home_data(file);

    if (file->end != HOME_END)
        json_add_string(data, "then", names[file->end]);
    file->finish = FINISH_SENT;
    send_in_order(file->home, "file_finish", data, NULL, 0);
}

/* The pace is measured from waits, and forgotten when there have been none for a while. */
static void note_pace(struct home_file *file, bool waits)
{
    int64_t now_ns = clock_monotonic_ns();

    if (waits) {
        pace_wait(&file->pace, now_ns);
        file->sent = 0;
    } else if (file->pace.waits_since_ns != 0 || file->sent > WINDOW_LARGEST) {
        pace_go_on(&file->pace, now_ns);
    }
}

static void read_contents(struct home_file *file, int available)
{
    int64_t room = available < file->credit ? available : file->credit;
    size_t length = (size_t)(room < WINDOW_BODY ? room : WINDOW_BODY);
    void *body = body_new(NULL, length);

    if (body == NULL)
        memory_exhausted();
    ssize_t count = read(file->pump_end, body, length);
    if (count > 0)
        send_contents(file, body, (size_t)count);
    else
        body_free(body);
}

static void carry_output(struct home_file *file)
{
    int available = 0;

    if (ioctl(file->pump_end, FIONREAD, &available) < 0)
        available = 0;
    if (available == 0) {
        note_wait(file, false);
        if (file->finish == FINISH_WANTED)
            send_finish(file);
        return;
    }
    bool waits = file->credit == 0;
    note_wait(file, waits);
    note_pace(file, waits);
    if (waits)
        return;
    file->rests = !file->rests && available < LITTLE && file->finish == FINISH_NONE;
    if (file->rests)
        return;
    read_contents(file, available);
    /* Nothing wakes the pump when the pipe is empty. */
    if (file->finish == FINISH_WANTED)
        home_wake_pump(file->home);
}

/* Inputs. */

static void close_input(struct home_file *file)
{
    bool tells = file->opened && !file->ended;

    end_carrying(file);
    if (tells)
        home_send(file->home, "file_close", home_data(file));
}

/* False: its reader is gone. */
static bool write_contents(struct home_file *file)
{
    int64_t passed = 0;
    bool read = true;

    while (file->first != NULL) {
        struct home_bytes *bytes = file->first;
        ssize_t count = write(file->pump_end, (char *)bytes->body + bytes->done, bytes->length - bytes->done);
        if (count < 0) {
            read = errno == EAGAIN || errno == EINTR;
            break;
        }
        passed += count;
        bytes->done += (size_t)count;
        if (bytes->done < bytes->length)
            continue;
        file->first = bytes->next;
        if (file->first == NULL)
            file->last = NULL;
        body_free(bytes->body);
        free(bytes);
    }
    int64_t credit = window_pass(&file->window, passed);
    if (credit > 0 && read && !file->ended) {
        json_object *data = home_data(file);
        json_add_integer(data, "bytes", credit);
        home_send(file->home, "file_credit", data);
    }
    return read;
}

static void carry_input(struct home_file *file, short revents)
{
    if ((revents & (POLLERR | POLLNVAL)) != 0 || !write_contents(file)) {
        close_input(file);
        return;
    }
    note_wait(file, file->first == NULL && !file->ended);
    if (file->first != NULL || !file->ended)
        return;
    /* Before the driver sees an end that is none. */
    if (file->error.category != 0 && !file->released)
        reports_add_error(file->step, &file->error);
    end_carrying(file);
}

/* All of them. */

/* The step was cancelled, or needs it no more, or home has failed. */
static void give_up(struct home_file *file)
{
    if (file->finish == FINISH_WANTED) {
        file->finish = FINISH_NONE;
        file->asks = false;
        file->home->questions--;
        pthread_cond_broadcast(&file->home->answered);
    }
    if (file->is_input)
        close_input(file);
    else
        end_carrying(file);
}

static void carry(struct home_file *file, short revents)
{
    if (file->pump_end < 0)
        return;
    if (file->released || file->over || home_is_cancelled(file))
        give_up(file);
    else if (file->opened && file->is_input)
        carry_input(file, revents);
    else if (file->opened)
        carry_output(file);
}

static void free_file(struct home_file *file)
{
    end_carrying(file);
    cleanup_close_value(&file->driver_end);
    osiris_error_clear(&file->error);
    free(file->path);
    free(file);
}

/* Frees what is not needed any more, and counts the rest that is to be polled. */
static size_t sweep(struct home *home, bool all)
{
    size_t count = 0;

    for (struct home_file **at = &home->first; *at != NULL;) {
        struct home_file *file = *at;
        if (all || (file->released && !file->asks && file->pump_end < 0)) {
            *at = file->next;
            home->files[file->number - 1] = NULL;
            free_file(file);
            continue;
        }
        count += file->pump_end >= 0;
        at = &file->next;
    }
    return count;
}

static short events_of(const struct home_file *file)
{
    if (!file->opened)
        return 0;
    if (file->is_input)
        return file->first == NULL ? 0 : POLLOUT;
    /* One that waits for credit is left alone, and so is one that rests. */
    return file->rests || file->waits != NULL ? 0 : POLLIN;
}

struct round {
    struct pollfd *fds; /* the first is the wake_fd */
    struct home_file **files;
    size_t count, capacity;
    bool rests;
};

static void prepare(struct round *round, struct home *home)
{
    size_t needed = sweep(home, false) + 1;

    if (needed > round->capacity) {
        round->capacity = 2 * needed;
        round->fds = reallocarray(round->fds, round->capacity, sizeof *round->fds);
        round->files = reallocarray(round->files, round->capacity, sizeof *round->files);
        if (round->fds == NULL || round->files == NULL)
            memory_exhausted();
    }
    round->fds[0] = (struct pollfd){.fd = home->wake_fd, .events = POLLIN};
    round->count = 1;
    round->rests = false;
    for (struct home_file *file = home->first; file != NULL; file = file->next) {
        if (file->pump_end < 0)
            continue;
        round->rests = round->rests || file->rests;
        round->files[round->count] = file;
        round->fds[round->count++] = (struct pollfd){.fd = file->pump_end, .events = events_of(file)};
    }
}

/* Only this thread frees files, so they are still there. */
static void wait_and_carry(struct round *round, struct home *home)
{
    const struct timespec rest = {.tv_nsec = REST_NS};
    eventfd_t count;

    pthread_mutex_unlock(&home->lock);
    int ready = ppoll(round->fds, round->count, round->rests ? &rest : NULL, NULL);
    (void)eventfd_read(home->wake_fd, &count);
    pthread_mutex_lock(&home->lock);
    for (size_t i = 1; i < round->count; i++)
        carry(round->files[i], ready > 0 ? round->fds[i].revents : 0);
}

void *home_pump_run(void *context)
{
    struct home *home = context;
    struct round round = {0};

    pthread_mutex_lock(&home->lock);
    while (!home->stops) {
        prepare(&round, home);
        wait_and_carry(&round, home);
    }
    (void)sweep(home, true);
    pthread_mutex_unlock(&home->lock);
    free(round.fds);
    free(round.files);
    return NULL;
}
