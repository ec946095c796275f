/*
 * The buffer in front of the file; see sink.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "relay.h"
#include "report.h"
#include "sink.h"

static size_t buffer_size(size_t reserve)
{
    size_t size;
    return __builtin_mul_overflow(reserve, 2, &size) ||
                   __builtin_add_overflow(size, CSV_SINK_BLOCK, &size)
               ? 0
               : size;
}

static int no_memory(const struct csv_sink *sink)
{
    return csv_fail(sink->file->host, OSIRIS_ERROR_INTERNAL, ENOMEM, NULL,
                    "not enough memory for the output buffer of %s", sink->file->path);
}

/* The buffer is `base`, and empty. */
static char *begin_buffer(struct csv_sink *sink, char *base)
{
    sink->base = base;
    if (base == NULL)
        return NULL;
    sink->end = base + buffer_size(sink->reserve);
    sink->mark = sink->end - sink->reserve + 1;
    int64_t left = sink->limit - sink->flushed;
    if (sink->limit > 0 && left < sink->mark - base)
        sink->mark = base + (left > 0 ? left : 0);
    return base;
}

int csv_sink_init(struct csv_sink *sink, struct csv_file *file, size_t reserve)
{
    *sink =
        (struct csv_sink){.file = file, .reserve = reserve, .limit = file->options->bytes_per_file};
    size_t size = buffer_size(reserve);
    return size > 0 && begin_buffer(sink, malloc(size)) != NULL ? 0 : no_memory(sink);
}

void csv_sink_clear(struct csv_sink *sink)
{
    csv_relay_free(sink->relay);
    sink->relay = NULL;
    free(sink->base);
    sink->base = NULL;
}

int csv_sink_start_relay(struct csv_sink *sink)
{
    char *spare = malloc(buffer_size(sink->reserve));
    if (spare == NULL)
        return no_memory(sink);
    sink->relay = csv_relay_new(sink->file, spare);
    return sink->relay == NULL ? -1 : 0;
}

void csv_sink_restart(struct csv_sink *sink)
{
    sink->flushed = 0;
    begin_buffer(sink, sink->base);
}

char *csv_sink_flush(struct csv_sink *sink, const char *at)
{
    size_t size = (size_t)(at - sink->base);
    sink->flushed += (int64_t)size;
    if (sink->relay != NULL)
        return begin_buffer(sink, csv_relay_hand_over(sink->relay, sink->base, size));
    if (csv_file_write(sink->file, sink->base, size) < 0)
        return NULL;
    return begin_buffer(sink, sink->base);
}

char *csv_sink_drain(struct csv_sink *sink, const char *at)
{
    char *base = csv_sink_flush(sink, at);
    if (base != NULL && sink->relay != NULL && csv_relay_drain(sink->relay) < 0)
        return NULL;
    return base;
}

char *csv_sink_append(struct csv_sink *sink, char *at, const char *data, size_t size)
{
    for (;;) {
        size_t room = csv_sink_room(sink, at);
        size_t usable = room > sink->reserve ? room - sink->reserve : 0;
        size_t count = size < usable ? size : usable;
        if (count > 0)
            memcpy(at, data, count);
        at += count;
        data += count;
        size -= count;
        if (size == 0 && csv_sink_room(sink, at) >= sink->reserve)
            return at;
        at = csv_sink_flush(sink, at);
        if (at == NULL)
            return NULL;
    }
}
