/*
 * The output: a large buffer before a descriptor that the host owns.
 *
 * Writers format straight into the buffer. They hold a position `at`, which stays below `end`; the
 * sink learns of it when it is asked to flush. A row begins with at least `reserve` bytes of room, and
 * a value of any length leaves at least that much behind, so values of bounded width are written
 * without a check.
 */
#ifndef OSIRIS_CSV_SINK_H
#define OSIRIS_CSV_SINK_H

#include <stddef.h>
#include <stdint.h>

#include <osiris/host.h>

#define CSV_SINK_BLOCK ((size_t)1 << 20)

struct csv_sink {
    const struct osiris_host *host;
    const char *path;
    int fd;         /* the host's: not closed here */
    char *base;     /* owned */
    char *end;      /* of the buffer */
    size_t reserve;
};

/* Room of CSV_SINK_BLOCK bytes and twice the reserve. 0, or -1 reported. */
int csv_sink_init(struct csv_sink *sink, const struct osiris_host *host, const char *path, int fd,
                  size_t reserve);
void csv_sink_clear(struct csv_sink *sink);

/* Writes what lies before `at`. Returns the position to go on at (the base), or NULL, reported: the
 * disk is full, the step was cancelled, … */
char *csv_sink_flush(struct csv_sink *sink, const char *at);

/* Appends bytes of any number and leaves the reserve. `at` may be anywhere. NULL as above. */
char *csv_sink_append(struct csv_sink *sink, char *at, const char *data, size_t size);

static inline size_t csv_sink_room(const struct csv_sink *sink, const char *at)
{
    return (size_t)(sink->end - at);
}

#endif
