/* A growing, bounded run of bytes; see buffer.h. */
#include "core/base/buffer.h"

#include <stdarg.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t maximum)
{
    *buffer = (struct buffer)BUFFER_INIT(maximum);
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer)BUFFER_INIT(buffer->maximum);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = buffer->starved = false;
}

static int buffer_fail(struct buffer *buffer)
{
    buffer->failed = true;
    return -1;
}

char *buffer_reserve(struct buffer *buffer, size_t length)
{
    size_t wanted;

    if (buffer->failed)
        return NULL;
    if (__builtin_add_overflow(buffer->length, length, &wanted) || wanted > buffer->maximum ||
        __builtin_add_overflow(wanted, (size_t)1, &wanted)) {
        buffer_fail(buffer);
        return NULL;
    }
    if (wanted > buffer->capacity) {
        size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
        while (capacity < wanted)
            if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
                capacity = wanted;
        char *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->starved = true;
            buffer_fail(buffer);
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    char *room = buffer_reserve(buffer, length);

    if (room == NULL)
        return -1;
    if (length > 0)
        memcpy(room, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

int buffer_append_char(struct buffer *buffer, char c)
{
    return buffer_append(buffer, &c, 1);
}

int buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    if (buffer->failed)
        return -1;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->starved = true;
        return buffer_fail(buffer);
    }
    int result = buffer_append(buffer, text, (size_t)length);
    free(text);
    return result;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
    if (length >= buffer->length) {
        buffer->length = 0;
        return;
    }
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
    buffer->data[buffer->length] = '\0';
}

char *buffer_steal(struct buffer *buffer)
{
    char *data = NULL;

    if (!buffer->failed && buffer_append(buffer, "", 0) == 0)
        data = steal_pointer(&buffer->data);
    buffer_clear(buffer);
    return data;
}
