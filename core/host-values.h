/*
 * What a host table hands out of configs (include/osiris/host.h): by key, or by JSON pointer if the path begins with a slash.
 * Whatever a table's `context` points to begins with these values; they do not change while a plug-in may ask for them, so
 * only what get_json makes is locked.
 */
#ifndef OSIRIS_CORE_HOST_VALUES_H
#define OSIRIS_CORE_HOST_VALUES_H

#include <json-c/json.h>
#include <osiris/host.h>
#include <pthread.h>

struct host_values {
    json_object *config, *connection; /* owned; NULL: nothing is there */
    json_object *texts;               /* an array that keeps what get_json has given alive */
    pthread_mutex_t lock;             /* guards texts, and what json-c keeps of a text inside of a value */
};

/* Empty ones. -1: no memory, and there is nothing to clear. */
int host_values_init(struct host_values *values);
void host_values_clear(struct host_values *values);
/* The table's functions of values. */
void host_values_fill(struct osiris_host *host);

#endif
