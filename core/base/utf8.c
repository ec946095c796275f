/* UTF-8 validation; see utf8.h. */
#include "core/base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the sequence that `lead` begins, 0 if it begins none; *low and *high bound the second byte. */
static size_t sequence_length(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2)
        return 0;
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0) {
        if (lead == 0xe0)
            *low = 0xa0;
        if (lead == 0xed)
            *high = 0x9f;
        return 3;
    }
    if (lead > 0xf4)
        return 0;
    if (lead == 0xf0)
        *low = 0x90;
    if (lead == 0xf4)
        *high = 0x8f;
    return 4;
}

bool utf8_is_valid(const char *text, size_t length)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + length;

    while (at < end) {
        uint64_t eight;
        uint8_t low, high;
        if (end - at >= 8) {
            memcpy(&eight, at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += 8;
                continue;
            }
        }
        size_t size = sequence_length(*at, &low, &high);
        if (size == 0 || (size_t)(end - at) < size)
            return false;
        if (size > 1 && (at[1] < low || at[1] > high))
            return false;
        for (size_t i = 2; i < size; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += size;
    }
    return true;
}

void utf8_append(struct buffer *out, const char *text, size_t length)
{
    if (utf8_is_valid(text, length)) {
        buffer_append(out, text, length);
        return;
    }
    for (size_t i = 0; i < length;) {
        size_t size = 1;
        while (size <= 4 && i + size <= length && !utf8_is_valid(text + i, size))
            size++;
        bool valid = size <= 4 && i + size <= length;
        buffer_append(out, valid ? text + i : "?", valid ? size : 1);
        i += valid ? size : 1;
    }
}
