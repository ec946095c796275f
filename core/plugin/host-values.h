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
    json_object *config, *connection; /* owned; NULL: nothing is there */
    json_object *texts;               /* an array that keeps what get_json has given alive */
    pthread_mutex_t lock;             /* guards them all, and what json-c keeps of a text inside of a value */
    /* [any thread] The plug-in has called `function` with NULL for `what`. May be NULL. */
    void (*misused)(struct host_values *values, const char *function, const char *what);
};

/* Empty ones. */
void host_values_init(struct host_values *values);
/* Nothing is there any more; whoever asks from now on finds that. What was given out is gone. */
void host_values_empty(struct host_values *values);
void host_values_clear(struct host_values *values);

/* This thread calls the plug-in that has these values (NULL: none, any more): whose fault it is if the table is NULL. */
void host_values_serve(struct host_values *values);
/* What a table that was passed in belongs to. If it is NULL: NULL, and `misused` of this thread's plug-in has heard of it. */
struct host_values *host_values_of(const struct osiris_host *host, const char *function);
/* Whether `given` is a value; else `misused` hears of it. */
bool host_values_has(struct host_values *values, const void *given, const char *function, const char *what);

/* The error of a plug-in that has called a host function so. `kind`: "driver" or "adapter". */
int host_values_blame(struct osiris_error *error, const char *function, const char *what, const char *kind, const char *name);
/* The table's functions of values. */
void host_values_fill(struct osiris_host *host);

#endif
