/*
 * One end of the protocol's byte channel: its creation and its receiving half; see channel.h.
 *
 * Bodies are read exactly: header and message first, then a body straight to its destination, and the next
 * header in one call with either. The next message is read together with a body, too, if it is no longer than those
 * before. So no byte of a stream of bodies is copied, except for a few where messages become shorter. Messages without bodies are read
 * ahead, so that a request needs one call.
 */
#include "core/wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/wire/channel-flush.h"
#include "core/wire/channel-resume.h"
#include "core/wire/message.h"

#define READ_SIZE 65536
/* The limits of messages that have not been returned yet; decoded, they may be 60 times as large. */
#define MESSAGES_AT_ONCE 256
#define MESSAGE_BYTES_AT_ONCE (256u << 10)
/* How often the rest of a body is tried in one pump before the caller sleeps, and for how long after an arrival. */
#define MOST_TRIES 32
#define FEWEST_TRIES 8
#define TRYING_NS 20000

struct channel *channel_new(int fd, struct osiris_error *error)
{
    return channel_new_over((struct channel_link){fd, fd}, error);
}

struct channel *channel_new_over(struct channel_link link, struct osiris_error *error)
{
    struct channel *channel = calloc(1, sizeof *channel);

    channel->fds = (struct channel_link){-1, -1};
    channel->wake_fd = -1;
    if (channel_use_link_locked(channel, link) == 0)
        channel->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (channel->wake_fd < 0) {
        osiris_error_set_errno(error, errno, "cannot use the channel");
        channel_close_link_locked(channel);
        free(channel);
        return NULL;
    }
    channel->tries = MOST_TRIES;
    channel->part_bytes = FRAME_MAXIMUM_BODY;
    buffer_init(&channel->inbox, FRAME_MAXIMUM_MESSAGE);
    pthread_mutex_init(&channel->outbox_lock, NULL);
    condition_init(&channel->outbox_room);
    return channel;
}

static void clear_messages(struct channel *channel)
{
    while (channel->first_message != NULL) {
        struct message_in *message = channel->first_message;
        channel->first_message = message->next;
        json_object_put(message->message);
        free(message);
    }
}

void channel_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    channel_close_link_locked(channel);
    cleanup_close_value(&channel->wake_fd);
    channel_clear_lanes(channel);
    frame_list_clear(&channel->done);
    clear_messages(channel);
    json_object_put(channel->incoming);
    buffer_clear(&channel->inbox);
    osiris_error_clear(&channel->violation);
    pthread_cond_destroy(&channel->outbox_room);
    pthread_mutex_destroy(&channel->outbox_lock);
    free(channel->session);
    free(channel->token);
    free(channel);
}

int channel_fd(const struct channel *channel)
{
    return channel->link == LINK_LOST ? -1 : channel->fds.input;
}

static bool has_two_descriptors(const struct channel *channel)
{
    return channel->fds.output != channel->fds.input;
}

int channel_output_fd(const struct channel *channel)
{
    return channel->link == LINK_LOST || channel->output_ended || !has_two_descriptors(channel) ? -1 : channel->fds.output;
}

int channel_wake_fd(const struct channel *channel)
{
    return channel->wake_fd;
}

static short events_of_work(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    short events = channel_has_work_locked(channel) ? POLLOUT : 0;
    pthread_mutex_unlock(&channel->outbox_lock);
    return events;
}

short channel_poll_events(struct channel *channel)
{
    return has_two_descriptors(channel) ? POLLIN : POLLIN | events_of_work(channel);
}

short channel_output_events(struct channel *channel)
{
    return channel_output_fd(channel) < 0 ? 0 : events_of_work(channel);
}

void channel_set_destination(struct channel *channel, channel_destination *destination, void *context)
{
    channel->destination = destination;
    channel->destination_context = context;
}

void channel_set_trace(struct channel *channel, channel_trace *trace, void *context)
{
    pthread_mutex_lock(&channel->outbox_lock);
    channel->trace = trace;
    channel->trace_context = context;
    pthread_mutex_unlock(&channel->outbox_lock);
}

void channel_get_counts(struct channel *channel, struct channel_counts *counts)
{
    pthread_mutex_lock(&channel->outbox_lock);
    *counts = channel->counts;
    counts->kept_frames = channel->kept.count;
    counts->kept_bytes = channel->kept.bytes;
    pthread_mutex_unlock(&channel->outbox_lock);
}

void channel_shutdown(struct channel *channel)
{
    pthread_mutex_lock(&channel->outbox_lock);
    channel->closed = true;
    pthread_cond_broadcast(&channel->outbox_room);
    pthread_mutex_unlock(&channel->outbox_lock);
}

/* Receiving. */

static void trace_received(struct channel *channel)
{
    const struct iovec body = {.iov_base = channel->body, .iov_len = channel->header.body_length};

    pthread_mutex_lock(&channel->outbox_lock);
    channel->counts.frames_received++;
    channel->counts.body_bytes_received += channel->header.body_length;
    channel_trace_frame(channel, false, &channel->header, (const uint8_t *)channel->inbox.data,
                        &body, channel->header.body_length > 0);
    pthread_mutex_unlock(&channel->outbox_lock);
}

static void queue_message(struct channel *channel, json_object *message)
{
    struct message_in *entry = calloc(1, sizeof *entry);

    *entry = (struct message_in){.message = message,
                                 .length = channel->header.message_length,
                                 .body_length = channel->header.body_length};
    if (channel->first_message == NULL)
        channel->first_message = entry;
    else
        channel->last_message->next = entry;
    channel->last_message = entry;
    channel->message_count++;
    channel->message_bytes += entry->length;
    channel->body_waits = entry->body_length > 0;
}

void channel_take_first(struct channel *channel, json_object *message)
{
    channel->received_sequence = 1;
    queue_message(channel, message);
}

/* The current frame is complete. */
static int finish_frame(struct channel *channel, struct osiris_error *error)
{
    json_object *message = channel->incoming;
    size_t bytes =
        FRAME_HEADER_SIZE + (size_t)channel->header.message_length + channel->header.body_length;

    trace_received(channel);
    channel->active = true;
    channel->quiet_bytes = 0;
    channel->after_body = channel->header.body_length > 0;
    channel->last_length = channel->after_body ? channel->header.message_length : 0;
    channel->incoming = NULL;
    channel->body = NULL;
    channel->body_filled = 0;
    buffer_reset(&channel->inbox);
    /* Frees the memory of a burst. */
    if (channel->inbox.capacity > 4 * READ_SIZE)
        buffer_clear(&channel->inbox);
    if (channel->link == LINK_GREETING) {
        int result = channel_take_greeting(channel, message, error);
        json_object_put(message);
        return result;
    }
    bool is_ack = channel_is_message_of_type(message, "ack");
    channel->received_sequence = channel->header.sequence;
    channel_acknowledge(channel, bytes, is_ack);
    if (is_ack) {
        int result = channel_take_ack(channel, message, error);
        json_object_put(message);
        return result;
    }
    queue_message(channel, message);
    return 0;
}

/* The peer of a new link is unauthenticated until it has greeted: its violations end the link, not the
 * session. */
static int refuse_frame(struct channel *channel, struct osiris_error *error)
{
    if (channel->link != LINK_GREETING)
        return -1;
    osiris_error_clear(error);
    pthread_mutex_lock(&channel->outbox_lock);
    int lost = channel_lose_link_locked(channel);
    pthread_mutex_unlock(&channel->outbox_lock);
    return lost < 0 ? osiris_error_set_violation(error, "it does not resume") : 0;
}

static int take_header(struct channel *channel, struct osiris_error *error)
{
    uint64_t expected = channel->link == LINK_GREETING ? 0 : channel->received_sequence + 1;

    frame_decode_header(channel->header_bytes, &channel->header);
    channel->header_filled = 0;
    channel->has_header = true;
    return frame_check_header(&channel->header, expected, error) < 0 ? refuse_frame(channel, error)
                                                                     : 0;
}

/* The message is complete; without a body, so is the frame. */
static int take_message(struct channel *channel, struct osiris_error *error)
{
    channel->incoming = message_decode((const uint8_t *)channel->inbox.data,
                                       channel->inbox.length, error);
    if (channel->incoming == NULL)
        return refuse_frame(channel, error);
    if (channel->header.body_length > 0) {
        if (channel->destination != NULL && channel->link != LINK_GREETING)
            return 0;
        (void)osiris_error_set_violation(error, "a message has a body that must not have one");
        return refuse_frame(channel, error);
    }
    channel->has_header = false;
    return finish_frame(channel, error);
}

/* Where the next bytes go: [0] the current part, [1] the next header if [0] ends the frame. Returns how many of
 * the two are used, 0 on error. */
static size_t next_room(struct channel *channel, struct iovec room[2], struct osiris_error *error)
{
    size_t left;
    bool last;

    if (!channel->has_header) {
        room[0] = (struct iovec){.iov_base = channel->header_bytes + channel->header_filled,
                                 .iov_len = FRAME_HEADER_SIZE - channel->header_filled};
        return 1;
    }
    if (channel->incoming == NULL) {
        left = channel->header.message_length - channel->inbox.length;
        size_t part = left < READ_SIZE ? left : READ_SIZE;
        void *memory = buffer_reserve(&channel->inbox, part);
        if (memory == NULL) {
            osiris_error_set_errno(error, ENOMEM, "cannot receive");
            return 0;
        }
        room[0] = (struct iovec){.iov_base = memory, .iov_len = part};
        last = part == left && channel->header.body_length == 0;
    } else {
        if (channel->body == NULL)
            channel->body = channel->destination(channel->destination_context, channel->incoming,
                                                 channel->header.body_length, error);
        if (channel->body == NULL)
            return 0;
        left = channel->header.body_length - channel->body_filled;
        room[0] = (struct iovec){.iov_base = channel->body + channel->body_filled, .iov_len = left};
        last = true;
    }
    room[1] = (struct iovec){.iov_base = channel->header_bytes, .iov_len = FRAME_HEADER_SIZE};
    return last ? 2 : 1;
}

/* `got` bytes have arrived in `room`. */
static int take_bytes(struct channel *channel, const struct iovec *room, size_t got,
                      struct osiris_error *error)
{
    size_t first = got < room[0].iov_len ? got : room[0].iov_len;
    int result = 0;

    channel->quiet_bytes += got;
    if (channel->quiet_bytes >= CHANNEL_SIGN_BYTES) {
        channel->active = true;
        channel->quiet_bytes = 0;
    }
    if (!channel->has_header) {
        channel->header_filled += first;
    } else {
        bool is_body = channel->incoming != NULL;
        if (is_body)
            channel->body_filled += first;
        else
            channel->inbox.length += first;
        channel->header_filled = got - first;
        if (is_body && channel->body_filled == channel->header.body_length) {
            channel->has_header = false;
            result = finish_frame(channel, error);
        } else if (!is_body && channel->inbox.length == channel->header.message_length) {
            result = take_message(channel, error);
        }
    }
    if (result == 0 && channel->link != LINK_LOST && !channel->has_header &&
        channel->header_filled == FRAME_HEADER_SIZE)
        result = take_header(channel, error);
    return result;
}

static bool inside_frame(const struct channel *channel)
{
    return channel->has_header || channel->header_filled > 0;
}

/* Nobody reads what is written. (A socket's end is seen by reading, so this is about the output of two.) */
static bool output_has_ended(const struct channel *channel)
{
    struct pollfd output = {.fd = channel_output_fd(channel)};

    return output.fd >= 0 && poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

/* The link has ended or broken. */
static int link_ended(struct channel *channel, int reason, bool *end, struct osiris_error *error)
{
    pthread_mutex_lock(&channel->outbox_lock);
    int lost = channel_lose_link_locked(channel);
    pthread_mutex_unlock(&channel->outbox_lock);
    if (lost == 0)
        return 0;
    if (reason != 0)
        return osiris_error_set_errno(error, reason, "cannot receive from the peer");
    if (inside_frame(channel))
        return osiris_error_set(error, OSIRIS_ERROR_CONNECTION,
                                "the peer closed the channel inside a frame");
    *end = true;
    return 0;
}

static bool may_read(const struct channel *channel)
{
    if (channel->link == LINK_LOST || channel->body_waits || channel->violated ||
        channel->message_count >= MESSAGES_AT_ONCE ||
        channel->message_bytes >= MESSAGE_BYTES_AT_ONCE)
        return false;
    /* The destination of a body is requested when everything before it has been handled. */
    return channel->incoming == NULL || channel->body != NULL || channel->first_message == NULL;
}

/* Moves what was read ahead to where it belongs. No I/O. */
static void take_ahead(struct channel *channel)
{
    while (channel->ahead_at < channel->ahead_end && may_read(channel)) {
        struct iovec room[2];
        size_t used = next_room(channel, room, &channel->violation), got = 0;
        bool is_body = channel->has_header && channel->incoming != NULL;
        for (size_t i = 0; i < used; i++) {
            size_t there = channel->ahead_end - channel->ahead_at;
            size_t part = room[i].iov_len < there ? room[i].iov_len : there;
            memcpy(room[i].iov_base, channel->ahead + channel->ahead_at, part);
            channel->ahead_at += part;
            channel->counts.copied_body_bytes += is_body && i == 0 ? part : 0;
            got += part;
        }
        channel->violated =
            used == 0 || take_bytes(channel, room, got, &channel->violation) < 0;
    }
}

/* How much may be read ahead after `room`, so that it rarely includes bytes of a body. After a body it is the next message, which is
 * assumed to be as long as the shorter one of the last two, because messages of a batch's later parts are shorter than its first. */
static size_t length_ahead(const struct channel *channel, size_t used)
{
    if (channel->has_header && channel->header.body_length > 0)
        return used == 1 || channel->incoming == NULL ? 0
               : channel->header.message_length < channel->last_length ? channel->header.message_length
                                                                       : channel->last_length;
    return channel->after_body ? 0 : sizeof channel->ahead;
}

/* One call. Returns the number of bytes in `room`; further bytes are read ahead. 0 at the end, -1 with errno. *asked: the total number of
 * bytes that were requested. */
static ssize_t receive_into(struct channel *channel, struct iovec room[3], size_t used,
                            size_t *asked)
{
    size_t wanted = room[0].iov_len + (used > 1 ? room[1].iov_len : 0);
    ssize_t got;

    size_t ahead = length_ahead(channel, used);
    if (ahead > sizeof channel->ahead)
        ahead = sizeof channel->ahead;
    *asked = wanted + ahead;
    if (ahead > 0)
        room[used++] = (struct iovec){.iov_base = channel->ahead, .iov_len = ahead};
    struct msghdr message = {.msg_iov = room, .msg_iovlen = used};
    do {
        channel->counts.receive_calls++;
        got = channel->input_is_socket ? recvmsg(channel->fds.input, &message, MSG_DONTWAIT)
                                       : readv(channel->fds.input, room, (int)used);
    } while (got < 0 && errno == EINTR);
    channel->ahead_at = 0;
    channel->ahead_end = got > (ssize_t)wanted ? (size_t)got - wanted : 0;
    return got;
}

/* The rest of a body is usually being written at this moment on another core. A reader that sleeps must
 * be woken, which costs both sides more than the gap lasts. So the read is tried a few more times, and others that need this
 * core go first. Where that does not help (a slow link), it is tried less. (bench/rpc batches, each end on a core of its own: batches of
 * 1 MiB pass at 118 to 154 % of the raw rate, without this at 88 to 105 %.) */
struct trying {
    unsigned left;
    int64_t until_ns; /* 0: bytes have arrived since */
};

static bool may_try_again(const struct channel *channel, struct trying *trying)
{
    int64_t now = clock_monotonic_ns();

    if (channel->body == NULL || trying->left == 0 || (trying->until_ns != 0 && now >= trying->until_ns))
        return false;
    if (trying->until_ns == 0)
        trying->until_ns = now + TRYING_NS;
    trying->left--;
    (void)sched_yield();
    return true;
}

static void adjust_tries(struct channel *channel, const struct trying *trying)
{
    if (trying->until_ns != 0 && channel->tries > FEWEST_TRIES)
        channel->tries /= 2;
    else if (trying->until_ns == 0 && trying->left < channel->tries)
        channel->tries = MOST_TRIES;
}

static int pump_in(struct channel *channel, bool *end, struct osiris_error *error)
{
    bool any = false, empty = false;
    struct trying trying = {.left = channel->tries};

    for (take_ahead(channel); may_read(channel); take_ahead(channel)) {
        struct iovec room[3];
        if (empty && !may_try_again(channel, &trying))
            break;
        size_t used = next_room(channel, room, &channel->violation), asked;
        channel->violated = used == 0;
        if (used == 0)
            break;
        ssize_t got = receive_into(channel, room, used, &asked);
        empty = got < (ssize_t)asked;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            continue;
        if (got <= 0)
            return link_ended(channel, got < 0 ? errno : 0, end, error) < 0 ? -1 : any;
        any = true;
        trying.until_ns = 0;
        got -= (ssize_t)channel->ahead_end;
        channel->violated = take_bytes(channel, room, (size_t)got, &channel->violation) < 0;
    }
    adjust_tries(channel, &trying);
    return any;
}

static int pump_out(struct channel *channel, short revents, struct osiris_error *error)
{
    uint64_t count;
    int result = 0;

    pthread_mutex_lock(&channel->outbox_lock);
    if (channel->woken && read(channel->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        result = osiris_error_set_errno(error, errno, "cannot read the channel's wake-up descriptor");
    channel->woken = false;
    /* Queued frames have found the socket full, unless nothing is queued yet. */
    bool full = (revents & (POLLOUT | POLLERR | POLLHUP)) == 0 && channel->sending.first != NULL;
    if (result == 0 && !full && channel_flush_locked(channel) < 0)
        result = osiris_error_set_errno(error, errno, "cannot send to the peer");
    if (result == 0 && channel->fault[0] != '\0')
        result = osiris_error_set(error, OSIRIS_ERROR_CONNECTION, "%s", channel->fault);
    channel_unlock(channel);
    return result;
}

/* A link that may be made again is lost with its output. Otherwise what still arrives is received, until the end or until something is to be
 * sent. */
static void check_output(struct channel *channel)
{
    if (!output_has_ended(channel))
        return;
    pthread_mutex_lock(&channel->outbox_lock);
    channel->output_ended = true;
    (void)channel_lose_link_locked(channel);
    pthread_mutex_unlock(&channel->outbox_lock);
}

/* The peer of a socket learns that this side has given it up from its shutdown, that of two descriptors from their end. */
static void close_if_lost(struct channel *channel)
{
    if (channel->link != LINK_LOST || !has_two_descriptors(channel))
        return;
    pthread_mutex_lock(&channel->outbox_lock);
    if (channel->link == LINK_LOST)
        channel_close_link_locked(channel);
    pthread_mutex_unlock(&channel->outbox_lock);
}

int channel_pump_ready(struct channel *channel, short revents, bool *end,
                       struct osiris_error *error)
{
    /* Reading comes first, so that the last messages of a peer that has gone are received. */
    bool readable = (revents & ~POLLOUT) != 0 || channel->ahead_at < channel->ahead_end;

    *end = false;
    int got = readable ? pump_in(channel, end, error) : 0;
    if (got < 0 || *end)
        return got < 0 ? -1 : 0;
    if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
        check_output(channel);
    got = pump_out(channel, revents, error) < 0 ? -1 : got;
    close_if_lost(channel);
    return got;
}

int channel_pump(struct channel *channel, bool *end, struct osiris_error *error)
{
    return channel_pump_ready(channel, POLLIN | POLLOUT, end, error);
}

json_object *channel_receive_body(struct channel *channel, size_t *body_length,
                                  struct osiris_error *error)
{
    if (channel->first_message == NULL)
        take_ahead(channel);
    struct message_in *entry = channel->first_message;

    *body_length = 0;
    if (entry == NULL) {
        if (channel->violation.category != 0)
            osiris_error_move(error, &channel->violation);
        return NULL;
    }
    json_object *message = entry->message;
    *body_length = entry->body_length;
    channel->first_message = entry->next;
    channel->message_count--;
    channel->message_bytes -= entry->length;
    if (entry->body_length > 0)
        channel->body_waits = false;
    free(entry);
    return message;
}

json_object *channel_receive(struct channel *channel, struct osiris_error *error)
{
    size_t body_length;

    return channel_receive_body(channel, &body_length, error);
}

bool channel_was_active(struct channel *channel)
{
    bool active = channel->active;

    channel->active = false;
    return active;
}

bool channel_goes_on(const struct channel *channel)
{
    return channel->after_body && channel->has_header && may_read(channel);
}
