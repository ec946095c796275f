/*
 * Copies text sixteen bytes at a time and searches it for the bytes that make a field need quotes
 * (the delimiter, the quote, the escape character, CR, LF). Where quote and escape are constants and the same, the
 * compiler omits the second comparison.
 */
#ifndef OSIRIS_CSV_SCAN_H
#define OSIRIS_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "options.h"

#define CSV_SCAN_BLOCK 16

struct csv_specials {
    char delimiter;
    char quote;
    char escape; /* equal to the quote if there is no escape character */
};

static inline struct csv_specials csv_specials_of(const struct csv_options *options)
{
    return (struct csv_specials){options->delimiter, options->quote, options->escape};
}

static inline bool csv_is_special(char byte, struct csv_specials special)
{
    return byte == special.delimiter || byte == special.quote || byte == special.escape ||
           byte == '\n' || byte == '\r';
}

#ifdef __SSE2__

/* Copies 16 bytes and returns a set bit for each special one. */
static inline unsigned csv_copy_block(char *to, const char *from, struct csv_specials special)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)to, block);
    __m128i found = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(special.delimiter)),
                     _mm_cmpeq_epi8(block, _mm_set1_epi8(special.quote))),
        _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('\n')),
                     _mm_cmpeq_epi8(block, _mm_set1_epi8('\r'))));
    if (special.escape != special.quote)
        found = _mm_or_si128(found, _mm_cmpeq_epi8(block, _mm_set1_epi8(special.escape)));
    return (unsigned)_mm_movemask_epi8(found);
}

#else

/* The lowest bit of each byte of `word` that equals `byte`. Exact: no carry passes between bytes. */
static inline uint64_t csv_equal_bytes(uint64_t word, char byte)
{
    const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
    uint64_t differs = word ^ (0x0101010101010101u * (unsigned char)byte);
    return ~(((differs & low) + low) | differs | low) >> 7;
}

static inline unsigned csv_word_mask(uint64_t word, struct csv_specials special)
{
    uint64_t found = csv_equal_bytes(word, special.delimiter) |
                     csv_equal_bytes(word, special.quote) | csv_equal_bytes(word, '\n') |
                     csv_equal_bytes(word, '\r');
    if (special.escape != special.quote)
        found |= csv_equal_bytes(word, special.escape);
    return (unsigned)((found * 0x0102040810204080u) >> 56);
}

static inline unsigned csv_copy_block(char *to, const char *from, struct csv_specials special)
{
    unsigned mask = 0;
    for (unsigned half = 0; half < 2; half++) {
        unsigned char bytes[8];
        uint64_t word = 0;
        memcpy(bytes, from + 8 * half, sizeof bytes);
        memcpy(to + 8 * half, bytes, sizeof bytes);
        for (unsigned i = 0; i < 8; i++)
            word |= (uint64_t)bytes[i] << (8 * i);
        mask |= csv_word_mask(word, special) << (8 * half);
    }
    return mask;
}

#endif

/* Copies text in whole blocks, so that both sides need room for `size` rounded up to the next block.
 * True if any of the `size` bytes is special. */
static inline bool csv_copy_blocks(char *to, const char *from, size_t size,
                                   struct csv_specials special)
{
    unsigned found = 0;
    size_t done = 0;
    for (; size - done >= CSV_SCAN_BLOCK; done += CSV_SCAN_BLOCK)
        found |= csv_copy_block(to + done, from + done, special);
    if (done < size)
        found |= csv_copy_block(to + done, from + done, special) & ((1u << (size - done)) - 1);
    return found != 0;
}

/* True if any byte of the text is special; nothing beyond the text is read. */
static inline bool csv_has_special(const char *data, size_t size,
                                   struct csv_specials special)
{
    char scratch[CSV_SCAN_BLOCK];
    unsigned found = 0;
    for (; size >= CSV_SCAN_BLOCK && found == 0; data += CSV_SCAN_BLOCK, size -= CSV_SCAN_BLOCK)
        found = csv_copy_block(scratch, data, special);
    for (; size > 0 && found == 0; data++, size--)
        found = csv_is_special(*data, special);
    return found != 0;
}

#endif
