/*
 * The output: a large buffer before the file at hand.
 *
 * Writers format straight into the buffer. They hold a position `at`, which stays below `end`; the
 * sink learns of it when it is asked to flush. A row begins before `mark`, where there are at least
 * `reserve` bytes of room, and a value of any length leaves at least that much behind, so values of
 * bounded width are written without a check. The mark also stands where the file at hand has as
 * many bytes as it is to have.
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
    struct csv_relay *relay; /* owned; NULL: what is flushed is written on this thread */
    char *base;              /* owned */
    char *end;               /* of the buffer */
    char *mark;
    size_t reserve;
    int64_t flushed; /* bytes of text of the file at hand, without those in the buffer */
    int64_t limit;   /* how many of them the file is to have; 0: any number */
};

/* Room of CSV_SINK_BLOCK bytes and twice the reserve. 0, or -1 reported. The file lives longer. */
int csv_sink_init(struct csv_sink *sink, struct csv_file *file, size_t reserve);
void csv_sink_clear(struct csv_sink *sink);

/* From here on what is flushed is written on a thread of its own. 0, or -1 reported. */
int csv_sink_start_relay(struct csv_sink *sink);

/* Another file begins: the buffer is empty. */
void csv_sink_restart(struct csv_sink *sink);

/* Writes what lies before `at`. Returns the position to go on at (the base), or NULL, reported: the
 * disk is full, the step was cancelled, … */
char *csv_sink_flush(struct csv_sink *sink, const char *at);

/* The same, and waits until it is written: the file may then be used. */
char *csv_sink_drain(struct csv_sink *sink, const char *at);

/* Whether the file has as many bytes as it is to have. */
static inline bool csv_sink_is_full(const struct csv_sink *sink, const char *at)
{
    return sink->limit > 0 && sink->flushed + (at - sink->base) >= sink->limit;
}

/* Appends bytes of any number and leaves the reserve. `at` may be anywhere. NULL as above. */
char *csv_sink_append(struct csv_sink *sink, char *at, const char *data, size_t size);

static inline size_t csv_sink_room(const struct csv_sink *sink, const char *at)
{
    return (size_t)(sink->end - at);
}

#endif
