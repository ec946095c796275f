/* Whether a trace can be replayed, and how two answers differ; see replay.h. */
#include <stdio.h>
#include <string.h>

#include "core/json-access.h"
#include "core/json-build.h"
#include "core/replay-internal.h"

#define DIFFERENCES_AT_MOST 100
#define PATH_LENGTH 512

/* Checking. */

static int cannot(struct osiris_error *error, const char *why)
{
    return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the trace cannot be replayed: %s", why);
}

static int check_place(const struct trace_record *record, const char *asked,
                       struct replay_needs *needs, struct osiris_error *error)
{
    if (asked != NULL || needs->place != NULL) {
        if (asked != NULL || strcmp(needs->place, record->place) == 0)
            return 0;
        osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                         "the trace has frames of several places, \"%.64s\" and \"%.64s\" among them",
                         needs->place, record->place);
        return osiris_error_hint(error, "say with --place which worker to play to");
    }
    needs->place = strdup(record->place);
    return needs->place == NULL ? osiris_error_set_errno(error, ENOMEM, "cannot replay") : 0;
}

static bool is_about_stream(json_object *message)
{
    static const char *const types[] = {"schema", "batch", "more", "end", "credit", "close"};
    const char *type = json_member_string(message, "type", "");

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static bool needs_secrets(json_object *message)
{
    const char *method = json_member_string(message, "method", "");
    json_object *params = json_member(message, "params");

    if (strcmp(method, "prepare") == 0)
        return trace_is_masked(json_member(params, "connections")) ||
               trace_is_masked(json_member(params, "secrets"));
    return strcmp(method, "execute_step") == 0 && trace_is_masked(params);
}

static int check_record(const struct trace_record *record, struct replay_needs *needs,
                        bool *has_hello, struct osiris_error *error)
{
    if (!record->from_osiris)
        return 0;
    if (record->message == NULL)
        return cannot(error, "a message was too long to be kept");
    if (record->body_bytes > 0 || is_about_stream(record->message))
        return cannot(error, "streams went from place to place, and their data is not kept");
    if (strcmp(json_member_string(record->message, "method", ""), "hello") == 0)
        *has_hello = true;
    needs->secrets = needs->secrets || needs_secrets(record->message);
    return 0;
}

int replay_check(struct trace_reader *trace, const char *place, struct replay_needs *needs,
                 struct osiris_error *error)
{
    struct trace_record record;
    bool has_hello = false;
    int result, checked = 0;

    *needs = (struct replay_needs){0};
    while (checked == 0 && (result = trace_reader_next(trace, &record, error)) > 0) {
        if (record.is_end)
            checked = cannot(error, "it is not whole, it was too long to go on");
        else
            checked = check_place(&record, place, needs, error);
        if (checked == 0 && (place == NULL || strcmp(record.place, place) == 0))
            checked = check_record(&record, needs, &has_hello, error);
        trace_record_clear(&record);
    }
    trace_reader_rewind(trace);
    if (checked == 0 && result == 0 && place != NULL &&
        (needs->place = strdup(place)) == NULL)
        checked = osiris_error_set_errno(error, ENOMEM, "cannot replay");
    if (checked == 0 && result == 0 && !has_hello)
        checked = cannot(error, place == NULL ? "it has no hello" : "it has no hello of that place");
    if (checked == 0 && result == 0)
        return 0;
    free(needs->place);
    needs->place = NULL;
    return -1;
}

/* Comparing. */

/* What no two runs have in common. */
static bool is_volatile(const char *key)
{
    static const char *const keys[] = {"pid", "clock", "duration_ms", "ts", "resume"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static void note(json_object *differences, const char *path, json_object *expected,
                 json_object *got)
{
    json_object *difference = json_object_new_object();

    json_add_string(difference, "path", path);
    json_add(difference, "expected", json_object_get(expected));
    json_add(difference, "got", json_object_get(got));
    json_append(differences, difference);
}

static void compare(json_object *differences, const char *path, json_object *expected,
                    json_object *got);

static void compare_member(json_object *differences, const char *path, const char *key,
                           json_object *expected, json_object *got)
{
    char inner[PATH_LENGTH];

    if (is_volatile(key))
        return;
    snprintf(inner, sizeof inner, "%s%s%.64s", path, path[0] == '\0' ? "" : ".", key);
    compare(differences, inner, expected, got);
}

static void compare_objects(json_object *differences, const char *path, json_object *expected,
                            json_object *got)
{
    json_object_object_foreach(expected, key, value)
    {
        json_object *other = NULL;
        json_object_object_get_ex(got, key, &other);
        compare_member(differences, path, key, value, other);
    }
    json_object_object_foreach(got, name, extra)
    {
        if (!json_object_object_get_ex(expected, name, NULL))
            compare_member(differences, path, name, NULL, extra);
    }
}

static void compare_arrays(json_object *differences, const char *path, json_object *expected,
                           json_object *got)
{
    size_t count = json_array_count(expected);
    char index[24];

    if (json_array_count(got) != count) {
        note(differences, path, expected, got);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(index, sizeof index, "%zu", i);
        compare_member(differences, path, index, json_object_array_get_idx(expected, i),
                       json_object_array_get_idx(got, i));
    }
}

static void compare(json_object *differences, const char *path, json_object *expected,
                    json_object *got)
{
    enum json_type type = json_object_get_type(expected);

    if (json_array_count(differences) >= DIFFERENCES_AT_MOST)
        return;
    if (type == json_type_object && json_object_is_type(got, type))
        compare_objects(differences, path, expected, got);
    else if (type == json_type_array && json_object_is_type(got, type))
        compare_arrays(differences, path, expected, got);
    else if (!json_object_equal(expected, got))
        note(differences, path, expected, got);
}

json_object *replay_compare(json_object *expected, json_object *got)
{
    json_object *differences = json_object_new_array();

    if (differences != NULL)
        compare(differences, "", expected, got);
    return differences;
}
