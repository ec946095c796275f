/*
 * When a failed step is retried, and after how long: the `retry` of a step, in numbers. No clock and no input or
 * output here; the session (orchestrator/session/attempts.c) waits and repeats.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_RETRY_H
#define OSIRIS_ORCHESTRATOR_OML_RETRY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

#define RETRY_MAXIMUM_ATTEMPTS 100
#define RETRY_MAXIMUM_DELAY_MS (24 * 3600 * 1000)

enum retry_backoff { RETRY_CONSTANT, RETRY_LINEAR, RETRY_EXPONENTIAL };

struct retry_policy {
    int64_t max_attempts; /* including the first one; 0: the step has no `retry` */
    enum retry_backoff backoff;
    int64_t initial_delay_ms, max_delay_ms;
    double jitter; /* a delay varies by this fraction */
    /* Sets of kinds of errors; retry_kind gives a bit. */
    uint32_t on_errors;      /* 0: all errors that are marked as retryable */
    uint32_t skip_on_errors; /* never */
    bool unsafe;             /* it may repeat writes that it cannot undo */
};

/* A set with the kind of errors of this name: a category, the original's name for one, or WorkerCrashError. 0: unknown
 * name. A cancelled step is never retried, so that category is not allowed either. */
uint32_t retry_kind(const char *name);

bool retry_backoff_from_name(const char *name, enum retry_backoff *backoff);
/* The plan's form, and back. */
json_object *retry_to_json(const struct retry_policy *policy);
void retry_from_json(json_object *object, struct retry_policy *policy);

/* Whether another attempt may follow after attempt number `attempt` (from 1) has failed with `error`. */
bool retry_allows(const struct retry_policy *policy, int64_t attempt,
                  const struct osiris_error *error);

/* The source of jitter; the same seed produces the same delays. */
struct retry_random {
    uint64_t state;
};
/* How long to wait after attempt number `attempt`. */
int64_t retry_delay_ms(const struct retry_policy *policy, int64_t attempt,
                       struct retry_random *random);

#endif
