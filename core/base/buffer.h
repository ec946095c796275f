/*
 * A growing run of bytes with a maximum and a sticky failure flag: append as often
 * as needed, and check once at the end. The bytes are always followed by a NUL that `length` does not
 * count, so `data` is usable as a string (data is NULL only before the first append).
 */
#ifndef OSIRIS_CORE_BASE_BUFFER_H
#define OSIRIS_CORE_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/cleanup.h"

struct buffer {
    char *data; /* owned */
    size_t length;
    size_t capacity;
    size_t maximum; /* length never exceeds this */
    bool failed;    /* beyond maximum, or out of memory; later appends do nothing */
    bool starved;   /* it has failed for lack of memory */
};

#define BUFFER_INIT(limit)                                                                         \
    {                                                                                              \
        .maximum = (limit)                                                                         \
    }
#define _cleanup_buffer_ _cleanup_(buffer_clear)

void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_clear(struct buffer *buffer);
/* Empties it and clears a failure; keeps the memory. */
void buffer_reset(struct buffer *buffer);

/* Each returns 0, or -1 once the buffer has failed. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_append_char(struct buffer *buffer, char c);
int buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for `length` more bytes at data + buffer->length, or NULL; commit with buffer->length += n. */
char *buffer_reserve(struct buffer *buffer, size_t length);
/* Drops the first `length` bytes. */
void buffer_consume(struct buffer *buffer, size_t length);
/* Returns the bytes (free them), or NULL if it has failed; the buffer is empty afterwards. */
char *buffer_steal(struct buffer *buffer);

#endif
