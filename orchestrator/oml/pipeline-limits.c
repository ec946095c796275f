/* A step's `timeout` and `retry`: how long it may take, and what happens when it has failed; see pipeline-limits.h. */
#include "orchestrator/oml/pipeline-limits.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/oml/duration.h"
#include "core/base/json-access.h"
#include "core/base/one-of.h"

/* One of the two keys of a step: its node, and its value with the pipeline's parameters. */
struct limits {
    struct pipeline_reader *reader;
    const struct yaml_node *node;
    json_object *values;
    char location[64]; /* steps[3].retry */
};

static void limits_clear(struct limits *limits)
{
    json_object_put(limits->values);
}

/* False if there is no such key, or its value cannot be read (reported). */
static bool limits_read(struct limits *limits, struct pipeline_reader *reader,
                        const struct yaml_node *step, const char *location, const char *key)
{
    size_t errors = reader->diagnostics->errors;

    *limits = (struct limits){.reader = reader, .node = yaml_get(step, key)};
    snprintf(limits->location, sizeof limits->location, "%.40s.%s", location, key);
    if (limits->node == NULL || yaml_is_null(limits->node))
        return false;
    limits->values = params_fill(&reader->params, reader->pipeline->document, limits->node,
                                 limits->location, reader->diagnostics);
    return reader->diagnostics->errors == errors;
}

static struct source_location where_is(const struct limits *limits, const char *key)
{
    const struct yaml_node *node = key == NULL ? NULL : yaml_get(limits->node, key);

    return node == NULL ? limits->node->where : node->where;
}

static void check_names(const struct limits *limits, const char *type, const char *const *known)
{
    size_t count = 0;

    while (known[count] != NULL)
        count++;
    for (size_t i = 0; i < limits->node->count; i++) {
        const struct yaml_node *key = limits->node->keys[i];
        if (is_one_of(key->text, known))
            continue;
        _cleanup_free_ char *question = pipeline_question(limits->reader, key->text, known, count);
        reader_error(limits->reader, type, &key->where, limits->location, question,
                     "the key \"%s\" is not allowed here", key->text);
    }
}

/* Timeouts. */

/* The original's form, in milliseconds. */
static void read_milliseconds(const struct limits *limits, const char *key, int64_t *ms)
{
    json_object *value = json_member(limits->values, key);
    int64_t number = json_member_integer(limits->values, key, 0);
    struct source_location where = where_is(limits, key);

    if (value == NULL)
        return;
    if (number >= 1 && number <= DURATION_MAXIMUM_MS)
        *ms = number;
    else
        reader_error(limits->reader, "invalid_timeout", &where, limits->location, NULL,
                     "\"%s\" must be a whole number of milliseconds from 1 to %lld", key,
                     (long long)DURATION_MAXIMUM_MS);
}

static void read_timeout(struct limits *limits, struct pipeline_step *step)
{
    static const char *const known[] = {"step_ms", "total_ms", NULL};

    if (limits->node->kind == YAML_MAPPING) {
        check_names(limits, "invalid_timeout", known);
        read_milliseconds(limits, "step_ms", &step->timeout_ms);
        read_milliseconds(limits, "total_ms", &step->total_timeout_ms);
    } else if (duration_from_json(limits->values, &step->timeout_ms) < 0) {
        reader_error(limits->reader, "invalid_timeout", &limits->node->where, limits->location,
                     "write " DURATION_RULE, "the timeout is not a duration");
    }
}

/* Retries. */

static const char *const retry_keys[] = {
    "max_attempts", "backoff",        "initial_delay_ms", "max_delay_ms", "jitter",
    "on_errors",    "skip_on_errors", "unsafe",           NULL};

static void invalid(const struct limits *limits, const char *key, const char *must)
{
    struct source_location where = where_is(limits, key);

    reader_error(limits->reader, "invalid_retry", &where, limits->location, NULL,
                 "\"%s\" must be %s", key, must);
}

static void read_integer(const struct limits *limits, const char *key, int64_t least, int64_t most,
                         int64_t *number)
{
    json_object *value = json_member(limits->values, key);
    int64_t given = json_member_integer(limits->values, key, least - 1);
    char must[80];

    if (value == NULL)
        return;
    snprintf(must, sizeof must, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    if (given < least || given > most)
        invalid(limits, key, must);
    else
        *number = given;
}

static void read_backoff(const struct limits *limits, struct retry_policy *policy)
{
    json_object *value = json_member(limits->values, "backoff");

    if (value != NULL && !retry_backoff_from_name(
                             json_member_string(limits->values, "backoff", NULL), &policy->backoff))
        invalid(limits, "backoff", "constant, linear or exponential");
}

/* The meaning of `true`, as in the original. */
#define USUAL_JITTER 0.1

static void read_jitter(const struct limits *limits, struct retry_policy *policy)
{
    json_object *value = json_member(limits->values, "jitter");
    double jitter = json_member_number(limits->values, "jitter", -1);

    if (value == NULL)
        return;
    if (json_object_is_type(value, json_type_boolean))
        policy->jitter = json_object_get_boolean(value) ? USUAL_JITTER : 0;
    else if (jitter >= 0 && jitter <= 1)
        policy->jitter = jitter;
    else
        invalid(limits, "jitter", "true, false, or a fraction from 0 to 1");
}

static void read_kinds(const struct limits *limits, const char *key, uint32_t *kinds)
{
    json_object *list = json_member(limits->values, key);
    size_t count = json_array_count(list);

    if (list == NULL)
        return;
    if (count == 0)
        invalid(limits, key, "a list of error categories");
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(list, i);
        const char *name =
            json_object_is_type(item, json_type_string) ? json_object_get_string(item) : "";
        uint32_t kind = retry_kind(name);
        if (kind == 0) {
            struct source_location where = where_is(limits, key);
            reader_error(limits->reader, "invalid_retry", &where, limits->location,
                         "docs/pipelines.md lists them; a cancelled step is never repeated",
                         "\"%.64s\" is not an error category for which a step can be repeated",
                         name);
        }
        *kinds |= kind;
    }
}

static void read_unsafe(const struct limits *limits, struct retry_policy *policy)
{
    json_object *value = json_member(limits->values, "unsafe");

    if (value == NULL)
        return;
    if (json_object_is_type(value, json_type_boolean))
        policy->unsafe = json_object_get_boolean(value);
    else
        invalid(limits, "unsafe", "true or false");
}

static void read_retry(struct limits *limits, struct retry_policy *policy)
{
    *policy = (struct retry_policy){.max_attempts = 3,
                                    .backoff = RETRY_EXPONENTIAL,
                                    .initial_delay_ms = 1000,
                                    .max_delay_ms = 30000};
    if (limits->node->kind != YAML_MAPPING) {
        reader_error(limits->reader, "invalid_retry", &limits->node->where, limits->location,
                     "write {max_attempts: 3}", "the step's \"retry\" must be a mapping");
        return;
    }
    check_names(limits, "invalid_retry", retry_keys);
    read_integer(limits, "max_attempts", 1, RETRY_MAXIMUM_ATTEMPTS, &policy->max_attempts);
    read_integer(limits, "initial_delay_ms", 0, RETRY_MAXIMUM_DELAY_MS, &policy->initial_delay_ms);
    if (policy->max_delay_ms < policy->initial_delay_ms)
        policy->max_delay_ms = policy->initial_delay_ms;
    read_integer(limits, "max_delay_ms", 0, RETRY_MAXIMUM_DELAY_MS, &policy->max_delay_ms);
    if (policy->max_delay_ms < policy->initial_delay_ms)
        invalid(limits, "max_delay_ms", "at least initial_delay_ms");
    read_backoff(limits, policy);
    read_jitter(limits, policy);
    read_kinds(limits, "on_errors", &policy->on_errors);
    read_kinds(limits, "skip_on_errors", &policy->skip_on_errors);
    if ((policy->on_errors & policy->skip_on_errors) != 0)
        invalid(limits, "skip_on_errors", "none of on_errors");
    read_unsafe(limits, policy);
}

void pipeline_read_limits(struct pipeline_reader *reader, const struct yaml_node *node,
                          const char *location, struct pipeline_step *step)
{
    struct limits limits;

    if (limits_read(&limits, reader, node, location, "timeout"))
        read_timeout(&limits, step);
    limits_clear(&limits);
    if (limits_read(&limits, reader, node, location, "retry"))
        read_retry(&limits, &step->retry);
    limits_clear(&limits);
}
