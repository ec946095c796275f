/*
 * A host table's access to configs (include/osiris/host.h): by key, or by JSON pointer if the path begins with a slash.
 * Whatever a table's `context` points to begins with these values. What a plug-in passes in may be NULL where it must not: that
 * never crashes, and is reported to `misused`.
 */
#ifndef OSIRIS_CORE_PLUGIN_HOST_VALUES_H
#define OSIRIS_CORE_PLUGIN_HOST_VALUES_H

#include <json-c/json.h>
#include <osiris/host.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/base/error.h"

struct host_values {
    json_object *config, *connection; /* owned; NULL: no values */
    json_object *texts;               /* an array that keeps the results of get_json alive; NULL: there are none */
    pthread_mutex_t lock;             /* guards them all, and what json-c keeps of a text inside of a value; see host_values_serve */
    /* [any thread] The plug-in has called `function` with NULL for `what`. May be NULL. */
    void (*misused)(struct host_values *values, const char *function, const char *what);
};

/* Initialises empty values. */
void host_values_init(struct host_values *values);
/* Removes all values; later look-ups find nothing. Texts that were returned earlier become invalid. */
void host_values_empty(struct host_values *values);
void host_values_clear(struct host_values *values);

/* Sets the plug-in that this thread is calling (NULL: none any more), which is at fault if it passes a NULL table. Until then its
 * values must not be emptied: on this thread they are read without the lock. */
void host_values_serve(struct host_values *values);
/* The owner of a table that a plug-in has passed in. If the table is NULL: NULL, and it is reported to `misused` of
 * this thread's plug-in. */
struct host_values *host_values_of(const struct osiris_host *host, const char *function);
/* Whether `given` is not NULL; else it is reported to `misused`. */
bool host_values_has(struct host_values *values, const void *given, const char *function, const char *what);

/* The error for such a call of a host function. `kind`: "driver" or "adapter". */
int host_values_blame(struct osiris_error *error, const char *function, const char *what, const char *kind, const char *name);
/* The table's functions for values. */
void host_values_fill(struct osiris_host *host);

#endif
