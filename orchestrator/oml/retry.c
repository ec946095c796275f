/* Retry policies; see retry.h. */
#include "orchestrator/oml/retry.h"

#include <string.h>

#include "core/base/json-access.h"
#include "core/base/json-build.h"

/* Kinds of errors. */

#define WORKER_CRASH (UINT32_C(1) << 31)

static uint32_t category_bit(int category)
{
    return UINT32_C(1) << category;
}

/* Canonical names come first. The last ones are the original's. */
static const struct {
    const char *name;
    int category; /* 0: a crash of the worker */
} kinds[] = {
    {"config", OSIRIS_ERROR_CONFIG},
    {"connection", OSIRIS_ERROR_CONNECTION},
    {"auth", OSIRIS_ERROR_AUTH},
    {"permission", OSIRIS_ERROR_PERMISSION},
    {"not_found", OSIRIS_ERROR_NOT_FOUND},
    {"data", OSIRIS_ERROR_DATA},
    {"io", OSIRIS_ERROR_IO},
    {"timeout", OSIRIS_ERROR_TIMEOUT},
    {"quota", OSIRIS_ERROR_QUOTA},
    {"internal", OSIRIS_ERROR_INTERNAL},
    {"WorkerCrashError", 0},
#define CANONICAL_KINDS 11
    {"network_error", OSIRIS_ERROR_CONNECTION},
    {"permission_denied", OSIRIS_ERROR_PERMISSION},
    {"syntax_error", OSIRIS_ERROR_CONFIG},
};

static uint32_t kind_bit(size_t index)
{
    return kinds[index].category == 0 ? WORKER_CRASH : category_bit(kinds[index].category);
}

uint32_t retry_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kind_bit(i);
    return 0;
}

static json_object *kinds_to_json(uint32_t set)
{
    json_object *names = json_object_new_array();

    for (size_t i = 0; i < CANONICAL_KINDS; i++)
        if ((set & kind_bit(i)) != 0)
            json_append(names, json_string(kinds[i].name));
    return names;
}

static uint32_t kinds_from_json(json_object *names)
{
    uint32_t set = 0;

    for (size_t i = 0; i < json_array_count(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        set |= name == NULL ? 0 : retry_kind(name);
    }
    return set;
}

/* A crash also has the category internal. */
static uint32_t kinds_of(const struct osiris_error *error)
{
    uint32_t set = category_bit(error->category);

    if (error->type != NULL && strcmp(error->type, "WorkerCrashError") == 0)
        set |= WORKER_CRASH;
    return set;
}

/* The plan's form. */

static const struct {
    const char *name;
    enum retry_backoff backoff;
} backoffs[] = {
    {"constant", RETRY_CONSTANT},
    {"linear", RETRY_LINEAR},
    {"exponential", RETRY_EXPONENTIAL},
    {"none", RETRY_CONSTANT}, /* the original's word */
};

bool retry_backoff_from_name(const char *name, enum retry_backoff *backoff)
{
    for (size_t i = 0; i < sizeof backoffs / sizeof backoffs[0]; i++)
        if (name != NULL && strcmp(backoffs[i].name, name) == 0) {
            *backoff = backoffs[i].backoff;
            return true;
        }
    return false;
}

json_object *retry_to_json(const struct retry_policy *policy)
{
    json_object *object = json_object_new_object();

    json_add_integer(object, "max_attempts", policy->max_attempts);
    json_add_string(object, "backoff", backoffs[policy->backoff].name);
    json_add_integer(object, "initial_delay_ms", policy->initial_delay_ms);
    json_add_integer(object, "max_delay_ms", policy->max_delay_ms);
    json_add_number(object, "jitter", policy->jitter);
    if (policy->on_errors != 0)
        json_add(object, "on_errors", kinds_to_json(policy->on_errors));
    if (policy->skip_on_errors != 0)
        json_add(object, "skip_on_errors", kinds_to_json(policy->skip_on_errors));
    json_add_boolean(object, "unsafe", policy->unsafe);
    return object;
}

void retry_from_json(json_object *object, struct retry_policy *policy)
{
    *policy = (struct retry_policy){
        .max_attempts = json_member_integer(object, "max_attempts", 0),
        .initial_delay_ms = json_member_integer(object, "initial_delay_ms", 0),
        .max_delay_ms = json_member_integer(object, "max_delay_ms", 0),
        .jitter = json_member_number(object, "jitter", 0),
        .on_errors = kinds_from_json(json_member(object, "on_errors")),
        .skip_on_errors = kinds_from_json(json_member(object, "skip_on_errors")),
        .unsafe = json_member_boolean(object, "unsafe", false),
    };
    (void)retry_backoff_from_name(json_member_string(object, "backoff", NULL), &policy->backoff);
}

/* Deciding. */

bool retry_allows(const struct retry_policy *policy, int64_t attempt,
                  const struct osiris_error *error)
{
    uint32_t set = kinds_of(error);

    if (attempt >= policy->max_attempts || error->category == OSIRIS_ERROR_CANCELLED ||
        (set & policy->skip_on_errors) != 0)
        return false;
    return policy->on_errors == 0 ? error->retryable : (set & policy->on_errors) != 0;
}

/* splitmix64 (https://prng.di.unimi.it/splitmix64.c); from -1 to 1. */
static double draw(struct retry_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) / (double)(UINT64_C(1) << 52) - 1;
}

int64_t retry_delay_ms(const struct retry_policy *policy, int64_t attempt,
                       struct retry_random *random)
{
    double delay = (double)policy->initial_delay_ms;
    double most = (double)policy->max_delay_ms;

    if (policy->backoff == RETRY_LINEAR)
        delay *= (double)attempt;
    for (int64_t i = 1; policy->backoff == RETRY_EXPONENTIAL && i < attempt && delay < most; i++)
        delay *= 2;
    delay = delay < most ? delay : most;
    if (policy->jitter > 0)
        delay *= 1 + policy->jitter * draw(random);
    return (int64_t)(delay < most ? delay : most);
}
