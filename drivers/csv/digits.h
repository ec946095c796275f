/*
 * Integers as decimal digits, eight at a time in one 64-bit register, no table and no loop.
 *
 * Every function returns the end of what it wrote and may overwrite up to CSV_SCRIBBLE bytes beyond that
 * end: callers keep that much room.
 */
#ifndef OSIRIS_CSV_DIGITS_H
#define OSIRIS_CSV_DIGITS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define CSV_SCRIBBLE 16

/* The eight digits of a value below 10^8, the first in the lowest byte, each 0 to 9. The divisions
 * are multiplications by a reciprocal, exact in the ranges that occur. */
static inline uint64_t csv_eight_digits(uint32_t value)
{
    uint64_t fours = (uint64_t)(value / 10000) | ((uint64_t)(value % 10000) << 32);
    uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007fu;
    uint64_t pairs = hundreds | ((fours - 100 * hundreds) << 16);
    uint64_t tens = ((pairs * 103) >> 10) & 0x000f000f000f000fu;
    return tens | ((pairs - 10 * tens) << 8);
}

static inline char *csv_put_word(char *at, uint64_t word)
{
    word = htole64(word);
    memcpy(at, &word, sizeof word);
    return at + 8;
}

/* Exactly eight digits. */
static inline char *csv_put_eight(char *at, uint32_t value)
{
    return csv_put_word(at, csv_eight_digits(value) | 0x3030303030303030u);
}

/* A value below 10^8 without leading zeros. */
static inline char *csv_put_upto_eight(char *at, uint32_t value)
{
    uint64_t digits = csv_eight_digits(value);
    /* The bit keeps the last digit of zero. */
    unsigned leading = (unsigned)__builtin_ctzll(digits | (UINT64_C(1) << 56)) & ~7u;
    csv_put_word(at, (digits | 0x3030303030303030u) >> leading);
    return at + 8 - leading / 8;
}

static inline char *csv_put_unsigned(char *at, uint64_t value)
{
    const uint64_t block = 100000000;
    if (value < block)
        return csv_put_upto_eight(at, (uint32_t)value);
    uint64_t high = value / block;
    uint32_t low = (uint32_t)(value % block);
    if (high < block) {
        at = csv_put_upto_eight(at, (uint32_t)high);
    } else {
        at = csv_put_upto_eight(at, (uint32_t)(high / block));
        at = csv_put_eight(at, (uint32_t)(high % block));
    }
    return csv_put_eight(at, low);
}

static inline char *csv_put_signed(char *at, int64_t value)
{
    *at = '-';
    at += value < 0;
    return csv_put_unsigned(at, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static inline char *csv_put_two(char *at, unsigned value)
{
    unsigned tens = value / 10;
    at[0] = (char)('0' + tens);
    at[1] = (char)('0' + (value - 10 * tens));
    return at + 2;
}

/* Exactly `count` digits of a value below 10^count; count up to 9. */
static inline char *csv_put_padded(char *at, uint32_t value, unsigned count)
{
    for (unsigned i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + count;
}

#endif
