/*
 * Quotes and escapes; see quote.h.
 */
#include <string.h>

#include "quote.h"
#include "scan.h"

/* The first byte that needs an escape within quotes, or the end. */
static inline const char *find_quote(const char *data, const char *end,
                                     const struct csv_options *options)
{
    char quote = options->quote, escape = options->escape;
    if (escape == quote) {
        const char *found = memchr(data, quote, (size_t)(end - data));
        return found != NULL ? found : end;
    }
    while (data < end && *data != quote && *data != escape)
        data++;
    return data;
}

/* For buffers with room for twice the size, quotes and reserve. */
static char *put_fast(const struct csv_options *options, const char *data, size_t size, char *at)
{
    const char *end = data + size;
    *at++ = options->quote;
    for (;;) {
        const char *found = find_quote(data, end, options);
        memcpy(at, data, (size_t)(found - data));
        at += found - data;
        data = found;
        if (data == end)
            break;
        *at++ = options->escape;
        *at++ = *data++;
    }
    *at++ = options->quote;
    return at;
}

static char *put_slowly(struct csv_context *context, const char *data, size_t size, char *at)
{
    const struct csv_options *options = context->options;
    struct csv_sink *sink = &context->sink;
    const char *end = data + size;
    at = csv_sink_append(sink, at, &options->quote, 1);
    while (at != NULL && data < end) {
        const char *found = find_quote(data, end, options);
        at = csv_sink_append(sink, at, data, (size_t)(found - data));
        data = found;
        if (at == NULL || data == end)
            break;
        const char escaped[2] = {options->escape, *data++};
        at = csv_sink_append(sink, at, escaped, 2);
    }
    return at == NULL ? NULL : csv_sink_append(sink, at, &options->quote, 1);
}

char *csv_put_quoted(struct csv_context *context, const char *data, size_t size, char *at)
{
    const struct csv_sink *sink = &context->sink;
    size_t room = csv_sink_room(sink, at);
    if (room > sink->reserve && size < (room - sink->reserve) / 2 &&
        2 * size + 2 <= room - sink->reserve)
        return put_fast(context->options, data, size, at);
    return put_slowly(context, data, size, at);
}

char *csv_put_escaped(struct csv_context *context, const char *data, size_t size, char *at)
{
    struct csv_specials special = csv_specials_of(context->options);
    const char *end = data + size;
    while (at != NULL && data < end) {
        const char *from = data;
        while (data < end && !csv_is_special(*data, special))
            data++;
        at = csv_sink_append(&context->sink, at, from, (size_t)(data - from));
        if (at == NULL || data == end)
            break;
        const char escaped[2] = {special.escape, *data++};
        at = csv_sink_append(&context->sink, at, escaped, 2);
    }
    return at;
}
