/* Standing in for the main thread; see stand-in.h. */
#include "worker/stand-in.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/json-build.h"
#include "worker/answer.h"
#include "worker/lifecycle.h"
#include "worker/calls.h"

#define DEFAULT_TICK_MS 5000
#define LATE_MS 5000 /* a call that takes longer is logged */

/* One call, as this thread has seen it. Time is counted in ticks, because a process that is stopped has none. */
struct watched {
    struct main_call call;
    int64_t ms;    /* how long it has been seen */
    int64_t alone; /* how much of that without an orchestrator */
    bool reported; /* that it is late */
};

static void send_heartbeat(const struct stand_in *stand_in, const struct watched *watched)
{
    json_object *data = json_object_new_object();
    const struct driver_name *who = watched->call.who;

    /* Loading is bounded by the timeout of prepare. */
    if (who != NULL && strcmp(watched->call.function, CALL_LOAD) != 0) {
        json_object *steps = json_object_new_array();
        json_object *entry = json_object_new_object();
        json_add_string(entry, "step_id", who->step_id);
        json_add_string(entry, "function", watched->call.function);
        json_add_integer(entry, "silent_ms", watched->ms);
        json_append(steps, entry);
        json_add(data, "steps", steps);
    }
    answer_message(stand_in->channel, "heartbeat", data, false);
}

static void print_late(const struct watched *watched, const char *end)
{
    const struct driver_name *who = watched->call.who;

    if (who == NULL)
        fprintf(stderr, "osiris-worker: the worker has been in %s for %lld ms%s\n", watched->call.function,
                (long long)watched->ms, end);
    else
        fprintf(stderr, "osiris-worker: step \"%s\": the driver \"%s\" has not returned from %s for %lld ms%s\n",
                who->step_id, who->driver, watched->call.function, (long long)watched->ms, end);
}

/* Whether the worker is no longer needed: a signal has arrived, or the other end of the channel is gone. */
static bool is_alone(const struct stand_in *stand_in, struct watched *watched, int64_t tick_ms)
{
    struct pollfd fds[] = {{.fd = stand_in->signal_fd, .events = POLLIN},
                           {.fd = atomic_load(&stand_in->link_fd), .events = POLLRDHUP}};

    if (poll(fds, 2, 0) < 0)
        return false;
    if (fds[0].revents != 0)
        return true;
    if (fds[1].fd >= 0 && (fds[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0)
        watched->alone = 0;
    else
        watched->alone += tick_ms;
    return watched->alone > stand_in->resume_timeout_ms;
}

static void check_main_thread(struct stand_in *stand_in, struct watched *watched, int64_t tick_ms)
{
    struct main_call call = calls_read();

    if (call.function == NULL || call.number != watched->call.number) {
        *watched = (struct watched){.call = call};
    } else {
        watched->call = call;
        watched->ms += tick_ms;
        if (is_alone(stand_in, watched, tick_ms)) {
            print_late(watched, "; the worker is no longer needed; stopping");
            lifecycle_kill_group();
        }
        if (watched->ms >= LATE_MS && !watched->reported)
            print_late(watched, "");
        watched->reported = watched->ms >= LATE_MS;
    }
    if (call.function != NULL && stand_in->interval_ms > 0)
        send_heartbeat(stand_in, watched);
}

static void *stand_in_thread(void *context)
{
    struct stand_in *stand_in = context;
    struct watched watched = {0};
    int64_t tick_ms = stand_in->interval_ms > 0 ? stand_in->interval_ms : DEFAULT_TICK_MS;
    struct timespec next;

    pthread_mutex_lock(&stand_in->lock);
    while (!stand_in->ending) {
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_sec += tick_ms / 1000;
        next.tv_nsec += (long)(tick_ms % 1000) * 1000000;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        int waited = 0;
        while (!stand_in->ending && waited == 0)
            waited = pthread_cond_timedwait(&stand_in->ends, &stand_in->lock, &next);
        if (!stand_in->ending)
            check_main_thread(stand_in, &watched, tick_ms);
    }
    pthread_mutex_unlock(&stand_in->lock);
    return NULL;
}

int stand_in_begin(struct stand_in *stand_in, struct osiris_error *error)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&stand_in->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&stand_in->ends, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int number = pthread_create(&stand_in->thread, NULL, stand_in_thread, stand_in);
    stand_in->running = number == 0;
    return number == 0 ? 0 : osiris_error_set_errno(error, number, "cannot start a thread");
}

void stand_in_end(struct stand_in *stand_in)
{
    if (!stand_in->running)
        return;
    pthread_mutex_lock(&stand_in->lock);
    stand_in->ending = true;
    pthread_cond_signal(&stand_in->ends);
    pthread_mutex_unlock(&stand_in->lock);
    (void)pthread_join(stand_in->thread, NULL);
    pthread_cond_destroy(&stand_in->ends);
    pthread_mutex_destroy(&stand_in->lock);
    stand_in->running = false;
}
