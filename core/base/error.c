/* The core's error value; see error.h. */
#include "core/base/error.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/json-build.h"

static const char *const category_names[] = {
    [OSIRIS_ERROR_CONFIG] = "config",         [OSIRIS_ERROR_CONNECTION] = "connection",
    [OSIRIS_ERROR_AUTH] = "auth",             [OSIRIS_ERROR_PERMISSION] = "permission",
    [OSIRIS_ERROR_NOT_FOUND] = "not_found",   [OSIRIS_ERROR_DATA] = "data",
    [OSIRIS_ERROR_IO] = "io",                 [OSIRIS_ERROR_TIMEOUT] = "timeout",
    [OSIRIS_ERROR_QUOTA] = "quota",           [OSIRIS_ERROR_CANCELLED] = "cancelled",
    [OSIRIS_ERROR_INTERNAL] = "internal",
};

#define CATEGORY_COUNT (sizeof category_names / sizeof category_names[0])

/* Texts come from drivers and peers and may have any length: if one cannot be allocated, the error says so instead. */
static char *format_text(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list arguments)
{
    char *text;

    return vasprintf(&text, format, arguments) < 0 ? strdup("out of memory") : text;
}

int osiris_error_blame_peer(struct osiris_error *error, const char *what)
{
    if (error == NULL)
        return -1;
    error->violation = true;
    return osiris_error_prefix(error, "the peer violates the protocol%s%s", what == NULL ? "" : ": ",
                               what == NULL ? "" : what);
}

static char *copy_text(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);

    return copy == NULL && text != NULL ? strdup("out of memory") : copy;
}

int osiris_error_set(struct osiris_error *error, int category, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return -1;
    va_start(arguments, format);
    char *message = format_text(format, arguments);
    va_end(arguments);
    osiris_error_clear(error);
    error->category = category;
    error->message = message;
    return -1;
}

int osiris_error_set_violation(struct osiris_error *error, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return -1;
    va_start(arguments, format);
    char *what = format_text(format, arguments);
    va_end(arguments);
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "the peer violates the protocol: %s", what);
    error->violation = true;
    free(what);
    return -1;
}

static int category_from_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return OSIRIS_ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return OSIRIS_ERROR_PERMISSION;
    case ETIMEDOUT:
        return OSIRIS_ERROR_TIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return OSIRIS_ERROR_CONNECTION;
    case EDQUOT:
        return OSIRIS_ERROR_QUOTA;
    case ECANCELED:
        return OSIRIS_ERROR_CANCELLED;
    case ENOMEM:
        return OSIRIS_ERROR_INTERNAL;
    default:
        return OSIRIS_ERROR_IO;
    }
}

int osiris_error_set_errno(struct osiris_error *error, int number, const char *format, ...)
{
    va_list arguments;
    char reason[256];

    if (error == NULL)
        return -1;
    va_start(arguments, format);
    _cleanup_free_ char *what = format_text(format, arguments);
    va_end(arguments);
    osiris_error_set(error, category_from_errno(number), "%s: %s", what, strerror_r(number, reason, sizeof reason));
    error->native_code = number;
    return -1;
}

int osiris_error_hint(struct osiris_error *error, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return -1;
    va_start(arguments, format);
    free(error->hint);
    error->hint = format_text(format, arguments);
    va_end(arguments);
    return -1;
}

int osiris_error_prefix(struct osiris_error *error, const char *format, ...)
{
    va_list arguments;
    char *message;

    if (error == NULL)
        return -1;
    va_start(arguments, format);
    _cleanup_free_ char *prefix = format_text(format, arguments);
    va_end(arguments);
    if (asprintf(&message, "%s: %s", prefix, error->message == NULL ? "" : error->message) >= 0) {
        free(error->message);
        error->message = message;
    }
    return -1;
}

void osiris_error_from_report(struct osiris_error *error, const struct osiris_error_report *report)
{
    bool known =
        report->category >= OSIRIS_ERROR_CONFIG && report->category <= OSIRIS_ERROR_INTERNAL;

    osiris_error_clear(error);
    *error = (struct osiris_error){
        .category = known ? report->category : OSIRIS_ERROR_INTERNAL,
        .retryable = report->retryable != 0,
        .native_code = report->native_code,
        .native_state = copy_text(report->native_state),
        .message = copy_text(report->message == NULL ? "no reason given" : report->message),
        .hint = copy_text(report->hint),
        .option = OSIRIS_HAS(report, option) ? copy_text(report->option) : NULL,
    };
}

void osiris_error_clear(struct osiris_error *error)
{
    if (error == NULL)
        return;
    free(error->native_state);
    free(error->message);
    free(error->hint);
    free(error->option);
    free(error->type);
    free(error->step_id);
    free(error->component);
    *error = (struct osiris_error)OSIRIS_ERROR_INIT;
}

void osiris_error_copy(struct osiris_error *to, const struct osiris_error *from)
{
    osiris_error_clear(to);
    *to = (struct osiris_error){.category = from->category,
                                .retryable = from->retryable,
                                .violation = from->violation,
                                .native_code = from->native_code,
                                .native_state = copy_text(from->native_state),
                                .message = copy_text(from->message),
                                .hint = copy_text(from->hint),
                                .option = copy_text(from->option),
                                .type = copy_text(from->type),
                                .step_id = copy_text(from->step_id),
                                .component = copy_text(from->component)};
}

void osiris_error_move(struct osiris_error *to, struct osiris_error *from)
{
    if (to == NULL) {
        osiris_error_clear(from);
        return;
    }
    osiris_error_clear(to);
    *to = *from;
    *from = (struct osiris_error)OSIRIS_ERROR_INIT;
}

const char *osiris_error_category_name(int category)
{
    if (category <= 0 || (size_t)category >= CATEGORY_COUNT)
        return "internal";
    return category_names[category];
}

/* The category of a name, or OSIRIS_ERROR_INTERNAL. */
static int category_from_name(const char *name)
{
    for (size_t i = 1; i < CATEGORY_COUNT; i++)
        if (name != NULL && strcmp(category_names[i], name) == 0)
            return (int)i;
    return OSIRIS_ERROR_INTERNAL;
}

json_object *osiris_error_to_json(const struct osiris_error *error)
{
    json_object *object = json_object_new_object();

    json_add_string(object, "category", osiris_error_category_name(error->category));
    json_add_boolean(object, "retryable", error->retryable);
    if (error->native_code != 0)
        json_add_integer(object, "native_code", error->native_code);
    json_add_string(object, "native_state", error->native_state);
    json_add_string(object, "message", error->message);
    json_add_string(object, "hint", error->hint);
    json_add_string(object, "option", error->option);
    json_add_string(object, "type", error->type);
    json_add_string(object, "step_id", error->step_id);
    json_add_string(object, "component", error->component);
    return object;
}

static char *get_text(json_object *object, const char *key)
{
    json_object *value;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    return copy_text(json_object_get_string(value));
}

void osiris_error_from_json(struct osiris_error *error, json_object *object)
{
    json_object *value;

    if (error == NULL)
        return;
    osiris_error_clear(error);
    _cleanup_free_ char *category = get_text(object, "category");
    error->category = category_from_name(category);
    if (json_object_object_get_ex(object, "retryable", &value))
        error->retryable = json_object_get_boolean(value);
    if (json_object_object_get_ex(object, "native_code", &value))
        error->native_code = json_object_get_int(value);
    error->native_state = get_text(object, "native_state");
    error->message = get_text(object, "message");
    if (error->message == NULL)
        error->message = strdup("no reason was given");
    error->hint = get_text(object, "hint");
    error->option = get_text(object, "option");
    error->type = get_text(object, "type");
    error->step_id = get_text(object, "step_id");
    error->component = get_text(object, "component");
}
