/* Formats and buffers of Arrow arrays; see layout.h. */
#include "core/arrow/layout.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bits_of_letter(char letter)
{
    switch (letter) {
    case 'b':
        return 1;
    case 'c':
    case 'C':
        return 8;
    case 's':
    case 'S':
    case 'e':
        return 16;
    case 'i':
    case 'I':
    case 'f':
        return 32;
    case 'l':
    case 'L':
    case 'g':
        return 64;
    default:
        return 0;
    }
}

/* A positive number that fills `text` up to `end` ('\0' or a comma), else 0. */
static uint32_t positive_number(const char *text, char end)
{
    char *stop;
    unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &stop, 10) : 0;

    return value > 0 && value <= INT32_MAX && *stop == end ? (uint32_t)value : 0;
}

/* "d:precision,scale" or "d:precision,scale,bits" */
static uint32_t decimal_bits(const char *text)
{
    const char *comma = strchr(text, ',');

    if (comma == NULL || positive_number(text, ',') == 0)
        return 0;
    comma = strchr(comma + 1, ',');
    if (comma == NULL)
        return 128;
    uint32_t bits = positive_number(comma + 1, '\0');
    return bits == 32 || bits == 64 || bits == 128 || bits == 256 ? bits : 0;
}

static uint32_t temporal_bits(const char *format)
{
    static const struct {
        const char *format;
        uint32_t bits;
    } known[] = {
        {"tdD", 32}, {"tdm", 64}, {"tts", 32}, {"ttm", 32}, {"ttu", 64}, {"ttn", 64}, {"tDs", 64},
        {"tDm", 64}, {"tDu", 64}, {"tDn", 64}, {"tiM", 32}, {"tiD", 64}, {"tin", 128},
    };

    /* A timestamp's unit is followed by its zone. */
    if (format[1] == 's' && format[2] != '\0' && strchr("smun", format[2]) != NULL &&
        format[3] == ':')
        return 64;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(format, known[i].format) == 0)
            return known[i].bits;
    return 0;
}

static struct arrow_type fixed(uint32_t bits)
{
    return (struct arrow_type){.layout = bits == 0 ? ARROW_UNKNOWN : ARROW_FIXED, .bits = bits};
}

static struct arrow_type nested(const char *format)
{
    if (strcmp(format, "+s") == 0)
        return (struct arrow_type){.layout = ARROW_STRUCT};
    if (strcmp(format, "+l") == 0 || strcmp(format, "+m") == 0)
        return (struct arrow_type){.layout = ARROW_LIST, .offset_bytes = 4};
    if (strcmp(format, "+L") == 0)
        return (struct arrow_type){.layout = ARROW_LIST, .offset_bytes = 8};
    if (strncmp(format, "+w:", 3) == 0 && positive_number(format + 3, '\0') > 0)
        return (struct arrow_type){.layout = ARROW_FIXED_LIST,
                                   .list_size = positive_number(format + 3, '\0')};
    return (struct arrow_type){.layout = ARROW_UNKNOWN};
}

struct arrow_type arrow_type_from_format(const char *format)
{
    if (format == NULL || format[0] == '\0')
        return (struct arrow_type){.layout = ARROW_UNKNOWN};
    if (format[0] == '+')
        return nested(format);
    if (format[0] == 't')
        return fixed(temporal_bits(format));
    if (strncmp(format, "d:", 2) == 0)
        return fixed(decimal_bits(format + 2));
    if (strncmp(format, "w:", 2) == 0) {
        uint32_t bytes = positive_number(format + 2, '\0');
        return fixed(bytes <= UINT32_MAX / 8 ? bytes * 8 : 0);
    }
    if (format[1] != '\0')
        return (struct arrow_type){.layout = ARROW_UNKNOWN};
    if (format[0] == 'n')
        return (struct arrow_type){.layout = ARROW_NULL};
    if (format[0] == 'u' || format[0] == 'z')
        return (struct arrow_type){.layout = ARROW_VARIABLE, .offset_bytes = 4};
    if (format[0] == 'U' || format[0] == 'Z')
        return (struct arrow_type){.layout = ARROW_VARIABLE, .offset_bytes = 8};
    return fixed(bits_of_letter(format[0]));
}

int64_t arrow_buffer_count(const struct arrow_type *type)
{
    switch (type->layout) {
    case ARROW_FIXED:
    case ARROW_LIST:
        return 2;
    case ARROW_VARIABLE:
        return 3;
    case ARROW_FIXED_LIST:
    case ARROW_STRUCT:
        return 1;
    default:
        return 0;
    }
}

static uint64_t last_offset(const struct arrow_type *type, const struct ArrowArray *array)
{
    int64_t at = array->offset + array->length;

    if (array->buffers[1] == NULL)
        return 0;
    if (type->offset_bytes == 4)
        return (uint64_t)((const int32_t *)array->buffers[1])[at];
    return (uint64_t)((const int64_t *)array->buffers[1])[at];
}

uint64_t arrow_buffer_bytes(const struct arrow_type *type, const struct ArrowArray *array,
                            int64_t index)
{
    uint64_t elements = (uint64_t)array->offset + (uint64_t)array->length;

    if (array->buffers[index] == NULL)
        return 0;
    if (index == 0)
        return (elements + 7) / 8;
    if (index == 2)
        return last_offset(type, array);
    if (type->layout == ARROW_FIXED)
        return (elements * type->bits + 7) / 8;
    return (elements + 1) * type->offset_bytes;
}

/* Without a branch, and in pieces of a constant length: -O2 vectorises that, and no loop of unknown length. */
static bool descend_32(const int32_t *offsets, int64_t count)
{
    enum { AT_ONCE = 32 };
    int32_t descends = 0;
    int64_t i = 0;

    for (; count - i >= AT_ONCE; i += AT_ONCE)
        for (int64_t j = 0; j < AT_ONCE; j++)
            descends |= offsets[i + j] > offsets[i + j + 1];
    for (; i < count; i++)
        descends |= offsets[i] > offsets[i + 1];
    return descends != 0;
}

/* Vectors of x86-64 cannot compare numbers of 64 bits before SSE 4.2, and the substitute is slower than this. */
static bool descend_64(const int64_t *offsets, int64_t count)
{
    bool descends = false;

    for (int64_t i = 0; i < count; i++)
        descends |= offsets[i] > offsets[i + 1];
    return descends;
}

bool arrow_offsets_descend(const void *offsets, uint32_t offset_bytes, int64_t count)
{
    return offset_bytes == 4 ? descend_32(offsets, count) : descend_64(offsets, count);
}
