/*
 * Bytes as text; see binary.h.
 */
#include <string.h>

#include "binary.h"

static size_t encode_hex(const unsigned char *from, size_t size, char *to)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
    return 2 * size;
}

static size_t encode_base64(const unsigned char *from, size_t size, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *at = to;
    for (; size > 0; from += 3) {
        size_t count = size < 3 ? size : 3;
        unsigned group = (unsigned)from[0] << 16;
        group |= count > 1 ? (unsigned)from[1] << 8 : 0;
        group |= count > 2 ? from[2] : 0u;
        at[0] = digits[group >> 18];
        at[1] = digits[group >> 12 & 63];
        at[2] = digits[group >> 6 & 63];
        at[3] = digits[group & 63];
        if (count < 3)
            memset(at + count + 1, '=', 3 - count);
        at += 4;
        size -= count;
    }
    return (size_t)(at - to);
}

size_t csv_encode_binary(const struct csv_options *options, const char *from, size_t size, char *to)
{
    const unsigned char *bytes = (const unsigned char *)from;
    return options->base64 ? encode_base64(bytes, size, to) : encode_hex(bytes, size, to);
}
