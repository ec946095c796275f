/*
 * One error type for the whole core. A function that can fail returns 0 or -1 (or a pointer or NULL)
 * and takes `struct osiris_error *error` last. The error is created once, where the facts are known; callers
 * may prefix where it happened, but never repeat what happened. `error` may be NULL for a caller that
 * does not need it. A caller starts with OSIRIS_ERROR_INIT and ends with osiris_error_clear (or declares
 * it _cleanup_error_).
 */
#ifndef OSIRIS_CORE_BASE_ERROR_H
#define OSIRIS_CORE_BASE_ERROR_H

#include <json-c/json.h>
#include <osiris/host.h>
#include <stdbool.h>

#include "core/base/cleanup.h"

struct osiris_error {
    int category; /* OSIRIS_ERROR_…; 0: no error */
    bool retryable;
    bool violation; /* the peer has done what the protocol forbids */
    int native_code;
    char *native_state; /* owned; each may be NULL, but for the message of an error that is set */
    char *message;
    char *hint;
    char *option;    /* the option of the step's config at fault: a key or a JSON pointer */
    char *type;      /* error type name where the original has one: WorkerCrashError, … */
    char *step_id;
    char *component;
};

#define OSIRIS_ERROR_INIT                                                                          \
    {                                                                                              \
        0                                                                                          \
    }
#define _cleanup_error_ _cleanup_(osiris_error_clear)

/* Sets the error (replacing an earlier one) and returns -1. */
int osiris_error_set(struct osiris_error *error, int category, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The peer has done what the protocol forbids: "the peer violates the protocol: …", an internal error. */
int osiris_error_set_violation(struct osiris_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Marks the error as a violation: puts "the peer violates the protocol: WHAT: " before the message; `what` may be NULL. */
int osiris_error_blame_peer(struct osiris_error *error, const char *what);

/* The same with errno's text after the message; the category follows from `number` (ENOENT:
 * not_found, EACCES/EPERM/EROFS: permission, ETIMEDOUT: timeout, ECONNREFUSED…: connection, else io). */
int osiris_error_set_errno(struct osiris_error *error, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a hint: what to do about it. Returns -1. */
int osiris_error_hint(struct osiris_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the message. Returns -1. */
int osiris_error_prefix(struct osiris_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An error from a plug-in's report, whatever version the struct has. */
void osiris_error_from_report(struct osiris_error *error, const struct osiris_error_report *report);

void osiris_error_clear(struct osiris_error *error);

/* Moves `from` to `to` (cleared first); `from` is empty afterwards. */
void osiris_error_move(struct osiris_error *to, struct osiris_error *from);

/* Replaces `to` by a copy of `from`. */
void osiris_error_copy(struct osiris_error *to, const struct osiris_error *from);

/* "config", "connection", …; "internal" for anything unknown. */
const char *osiris_error_category_name(int category);

/* The wire and JSON form: {category, retryable, native_code, native_state, message, hint, option,
 * type, step_id, component}, without absent members. */
json_object *osiris_error_to_json(const struct osiris_error *error);
void osiris_error_from_json(struct osiris_error *error, json_object *object);

#endif
