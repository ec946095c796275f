/* Heartbeats while the main thread cannot send any; see worker.h. */
#include "core/base/clock.h"
#include "worker/answer.h"
#include "worker/worker.h"

static void *beat(void *context)
{
    struct beats *beats = context;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&beats->lock);
    while (!beats->ending) {
        next.tv_sec += beats->interval_ms / 1000;
        next.tv_nsec += (long)(beats->interval_ms % 1000) * 1000000;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        int waited = 0;
        while (!beats->ending && waited == 0)
            waited = pthread_cond_timedwait(&beats->ends, &beats->lock, &next);
        if (!beats->ending)
            answer_message(beats->channel, "heartbeat", NULL, false);
    }
    pthread_mutex_unlock(&beats->lock);
    return NULL;
}

int beats_begin(struct beats *beats, struct channel *channel, int64_t interval_ms, struct osiris_error *error)
{
    pthread_condattr_t monotonic;

    *beats = (struct beats){.channel = channel, .interval_ms = interval_ms};
    if (interval_ms <= 0)
        return 0;
    pthread_mutex_init(&beats->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&beats->ends, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int number = pthread_create(&beats->thread, NULL, beat, beats);
    beats->running = number == 0;
    return number == 0 ? 0 : osiris_error_set_errno(error, number, "cannot start a thread");
}

void beats_end(struct beats *beats)
{
    if (!beats->running)
        return;
    pthread_mutex_lock(&beats->lock);
    beats->ending = true;
    pthread_cond_signal(&beats->ends);
    pthread_mutex_unlock(&beats->lock);
    (void)pthread_join(beats->thread, NULL);
    pthread_cond_destroy(&beats->ends);
    pthread_mutex_destroy(&beats->lock);
    beats->running = false;
}
