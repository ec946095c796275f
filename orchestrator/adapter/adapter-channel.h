/*
 * What an adapter fills in for a worker (struct osiris_channel): checked, so that a fault in it is the adapter's, and copied, so that it
 * outlives the adapter's state.
 */
#ifndef OSIRIS_ORCHESTRATOR_ADAPTER_ADAPTER_CHANNEL_H
#define OSIRIS_ORCHESTRATOR_ADAPTER_ADAPTER_CHANNEL_H

#include <osiris/adapter.h>

#include "core/base/error.h"
#include "core/wire/channel.h"

/* What an adapter gets: no descriptors. */
#define ADAPTER_CHANNEL_INIT                                                                                           \
    {                                                                                                                  \
        .struct_size = sizeof(struct osiris_channel), .socket = -1, .diagnostics = -1, .input = -1, .output = -1       \
    }

/* Who has filled it in. */
struct adapter_channel_source {
    const char *adapter, *verb;
    size_t driver_count; /* of context->driver_paths */
};

/* -1: it cannot be used. */
int adapter_channel_check(const struct osiris_channel *channel, const struct adapter_channel_source *source,
                          struct osiris_error *error);
/* Replaces the adapter's strings with copies. */
void adapter_channel_copy(struct osiris_channel *channel, size_t driver_count);

/* The link, whose descriptors are the caller's from then on. */
struct channel_link adapter_channel_take_link(struct osiris_channel *channel);

/* Closes the descriptors that are still there. */
void adapter_channel_close(struct osiris_channel *channel);
/* The same, and frees the copies. */
void adapter_channel_clear(struct osiris_channel *channel);

#endif
