/*
 * Encodings; see encode.h.
 */
#include <string.h>

#include "encode.h"

const char *csv_encoding_mark(enum csv_encoding encoding, size_t *size)
{
    switch (encoding) {
    case CSV_UTF8_SIG:
        *size = 3;
        return "\xef\xbb\xbf";
    case CSV_UTF16:
        *size = 2;
        return "\xff\xfe";
    default:
        *size = 0;
        return "";
    }
}

/* The length of the character that begins with this byte, or 0 if none does. */
static size_t character_size(unsigned char first)
{
    return first < 0x80                    ? 1
           : first >= 0xc2 && first < 0xe0 ? 2
           : first >= 0xe0 && first < 0xf0 ? 3
           : first >= 0xf0 && first < 0xf5 ? 4
                                           : 0;
}

/* The code point of a character. */
static uint32_t decode(const unsigned char *bytes, size_t size)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code_point = bytes[0] & masks[size];
    for (size_t i = 1; i < size; i++)
        code_point = code_point << 6 | (bytes[i] & 0x3f);
    return code_point;
}

/* The size of the character at `bytes`, of which `left` are available; 0: not a character. */
static size_t read_character(const unsigned char *bytes, size_t left, uint32_t *code_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = character_size(bytes[0]);
    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    *code_point = decode(bytes, size);
    bool surrogate = *code_point >= 0xd800 && *code_point < 0xe000;
    return *code_point < least[size] || *code_point > 0x10ffff || surrogate ? 0 : size;
}

static uint32_t last_code_point(enum csv_encoding encoding)
{
    return encoding == CSV_ASCII ? 0x7f : encoding == CSV_LATIN1 ? 0xff : 0x10ffff;
}

enum csv_fit csv_encoding_check(enum csv_encoding encoding, const char *data, size_t size,
                                size_t *at, uint32_t *code_point)
{
    const unsigned char *bytes = (const unsigned char *)data;
    uint32_t last = last_code_point(encoding);
    for (*at = 0; *at < size;) {
        if (bytes[*at] < 0x80) {
            ++*at;
            continue;
        }
        size_t width = read_character(bytes + *at, size - *at, code_point);
        if (width == 0)
            return CSV_INVALID;
        if (*code_point > last)
            return CSV_NO_CHARACTER;
        *at += width;
    }
    return CSV_FITS;
}

static char *put_unit(char *to, uint32_t unit, bool big)
{
    to[big ? 0 : 1] = (char)(unit >> 8);
    to[big ? 1 : 0] = (char)(unit & 0xff);
    return to + 2;
}

static char *put_character(enum csv_encoding encoding, uint32_t code_point, char *to)
{
    bool big = encoding == CSV_UTF16BE;
    if (encoding == CSV_ASCII || encoding == CSV_LATIN1) {
        *to = (char)code_point;
        return to + 1;
    }
    if (code_point < 0x10000)
        return put_unit(to, code_point, big);
    code_point -= 0x10000;
    to = put_unit(to, 0xd800 + (code_point >> 10), big);
    return put_unit(to, 0xdc00 + (code_point & 0x3ff), big);
}

size_t csv_encode(struct csv_encoder *encoder, const char *data, size_t size, char *to)
{
    const unsigned char *bytes = (const unsigned char *)data, *end = bytes + size;
    char *begin = to;
    while (bytes < end) {
        if (encoder->pending_size == 0 && *bytes < 0x80) {
            to = put_character(encoder->encoding, *bytes++, to);
            continue;
        }
        encoder->pending[encoder->pending_size++] = *bytes++;
        if (encoder->pending_size < character_size(encoder->pending[0]))
            continue;
        to = put_character(encoder->encoding, decode(encoder->pending, encoder->pending_size), to);
        encoder->pending_size = 0;
    }
    return (size_t)(to - begin);
}
