/* What the tests of a channel share: its two ends, messages that count, and bodies that are known again. */
#ifndef OSIRIS_TESTS_CHANNEL_ENDS_H
#define OSIRIS_TESTS_CHANNEL_ENDS_H

#include "core/wire/channel.h"

/* {sender, number}; and one of them. */
json_object *number_message(int64_t sender, int64_t number);
int64_t field(json_object *message, const char *name);
/* {type, data: {stream}} */
json_object *stream_message(const char *type, int64_t stream);

/* A channel, and the bare other end of its socket. */
void make_pair(struct channel **left, int *right);
/* The next message, waiting for it; NULL at the end. */
json_object *receive(struct channel *channel);

/* [thread] Flushes the outbox until told to stop, as the main thread of a worker does. */
void *flush(void *context);

/* Bytes that are told from those of another seed. The caller frees them. */
uint8_t *pattern(size_t length, unsigned seed);
/* A body in three pieces, one of them empty. *releases counts its releases. */
struct channel_body body_of(const uint8_t *bytes, size_t length, int *releases);

/* Where bodies of a stream are put together. */
struct assembly {
    uint8_t *bytes;
    size_t filled;
};

/* A channel_destination; its context are the assemblies of streams 0, 1, … */
void *place(void *context, json_object *message, size_t length, struct osiris_error *error);

#endif
