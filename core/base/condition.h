/* Conditions whose waits are bounded by CLOCK_MONOTONIC. */
#ifndef OSIRIS_CORE_BASE_CONDITION_H
#define OSIRIS_CORE_BASE_CONDITION_H

#include <pthread.h>
#include <stdint.h>

void condition_init(pthread_cond_t *condition);

/* Waits until it is signalled, or clock_monotonic_ns() has reached end_ns; 0 or ETIMEDOUT. The lock is held. */
int condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t end_ns);

#endif
