/* Conditions with monotonic bounds; see condition.h. */
#include "core/base/condition.h"

#include <time.h>

#define NS_PER_SECOND 1000000000

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t end_ns)
{
    const struct timespec end = {.tv_sec = end_ns / NS_PER_SECOND, .tv_nsec = end_ns % NS_PER_SECOND};

    return pthread_cond_timedwait(condition, lock, &end);
}
