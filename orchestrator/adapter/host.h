/*
 * An execution adapter in use: its shared object found and loaded, its options checked, its host table
 * filled, its verbs called in order. One thread.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_HOST_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_HOST_H

#include <json-c/json.h>
#include <osiris/adapter.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/redact.h"
#include "orchestrator/adapter/adapter-bundle.h"
#include "orchestrator/adapter/adapter-channel.h"

struct adapter_host;

/* Where an adapter's reports go. `event` takes `fields` (or NULL). */
struct adapter_sink {
    void (*log)(void *context, int level, const char *source, const char *message);
    void (*event)(void *context, const char *name, json_object *fields);
    void (*metric)(void *context, const char *name, double value, const char *unit);
    bool (*cancelled)(void *context);
    void *context;
};

struct adapter_host_options {
    const char *name;
    json_object *options; /* the user's, or NULL */
    const char *adapter_path;
    const char *adapter_dir;
    const char *run_id;
    struct redactor *redactor; /* outlives it; masks the adapter's texts, and knows the secret options */
    const struct adapter_sink *sink;             /* outlives it */
    const struct osiris_adapter_context *context; /* outlives it; without `bundle` */
    const char *place;                         /* its name, for messages */
    adapter_bundle_maker *make_bundle;         /* NULL: the adapter gets no bundles */
    const struct component *const *components; /* what is in its bundle; outlive it */
    size_t component_count;
};

/* Loads and opens. The options outlive it. */
struct adapter_host *adapter_host_open(const struct adapter_host_options *options,
                                       struct osiris_error *error);
int adapter_host_prepare(struct adapter_host *host, struct osiris_error *error);
/* The caller clears the channel (adapter-channel.h). */
int adapter_host_execute(struct adapter_host *host, struct osiris_channel *channel,
                         struct osiris_error *error);
/* Reconnects to the same worker over a new link, if the adapter supports it. */
bool adapter_host_can_reconnect(const struct adapter_host *host);
int adapter_host_reconnect(struct adapter_host *host, struct osiris_channel *channel,
                           struct osiris_error *error);
/* Also RUNNING if the adapter does not know. */
void adapter_host_worker_exit(struct adapter_host *host, int timeout_ms,
                              struct osiris_worker_exit *result);
void adapter_host_terminate(struct adapter_host *host, int how);
int adapter_host_collect(struct adapter_host *host, struct osiris_error *error);
/* Tears the place down. */
void adapter_host_close(struct adapter_host *host);

#endif
