/*
 * The output: a large buffer in front of the current file.
 *
 * Writers format straight into the buffer. They hold a position `at`, which stays below `end`; the
 * sink learns it when it is flushed. A row begins before `mark`, where there are at least
 * `reserve` bytes of room, and a value of any length leaves at least that much, so values of
 * bounded width are written without a check. The mark is also where the current file has reached
 * its maximum size.
 */
#ifndef OSIRIS_CSV_SINK_H
#define OSIRIS_CSV_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "file.h"

#define CSV_SINK_BLOCK ((size_t)1 << 20)

struct csv_relay;

struct csv_sink {
    struct csv_file *file;
    struct csv_relay *relay; /* owned; NULL: flushed bytes are written on this thread */
    char *base;              /* owned */
    char *end;               /* of the buffer */
    char *mark;
    size_t reserve;
    int64_t flushed; /* bytes of text of the current file, without those in the buffer */
    int64_t limit;   /* the size at which the file ends; 0: no limit */
};

/* Allocates CSV_SINK_BLOCK bytes and twice the reserve. 0, or -1 reported. The file outlives the sink. */
int csv_sink_init(struct csv_sink *sink, struct csv_file *file, size_t reserve);
void csv_sink_clear(struct csv_sink *sink);

/* From here on flushed bytes are written on a separate thread. 0, or -1 reported. */
int csv_sink_start_relay(struct csv_sink *sink);

/* Starts another file; the buffer is empty. */
void csv_sink_restart(struct csv_sink *sink);

/* Writes what is before `at`. Returns the position to continue at (the base), or NULL, reported: the
 * disk is full, the step was cancelled, … */
char *csv_sink_flush(struct csv_sink *sink, const char *at);

/* The same, and waits until it is written, so that the file may be used. */
char *csv_sink_drain(struct csv_sink *sink, const char *at);

/* Whether the file has reached its size. */
static inline bool csv_sink_is_full(const struct csv_sink *sink, const char *at)
{
    return sink->limit > 0 && sink->flushed + (at - sink->base) >= sink->limit;
}

/* Appends any number of bytes and leaves the reserve. `at` may be anywhere. NULL as above. */
char *csv_sink_append(struct csv_sink *sink, char *at, const char *data, size_t size);

static inline size_t csv_sink_room(const struct csv_sink *sink, const char *at)
{
    return (size_t)(sink->end - at);
}

#endif
