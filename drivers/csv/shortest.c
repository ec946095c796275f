/*
 * Shortest round-trip decimals by the Schubfach method: Raffaello Giulietti, "The Schubfach way to render
 * doubles" (2020), written from the paper. A number c * 2^q is scaled by a power of ten chosen so that its
 * rounding interval contains between one and ten integers of the next coarser decade; the candidates
 * are then compared in fixed point, with a sticky last bit, exactly.
 *
 * One routine serves all three formats: binary32 and binary16 numbers are small cases of the same
 * arithmetic with their own rounding intervals.
 */
#include <stdbool.h>
#include <string.h>

#include "digits.h"
#include "powers.h"
#include "shortest.h"

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

__extension__ typedef unsigned __int128 wide;

/* floor(x * 2^-128 * power), with the last bit set if anything was truncated. */
static uint64_t scaled(const struct csv_power *power, uint64_t x)
{
    wide low = (wide)power->low * x;
    wide high = (wide)power->high * x + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The shortest decimal in the rounding interval of c * 2^q, the nearest of them to it. `closer`: the
 * neighbour below is only half as far away as the one above (c is a power of two). */
static struct decimal shortest(uint64_t c, int q, bool closer)
{
    /* floor(log10(2^q)), or of 3/4 of it; then the shift that aligns the product. */
    int k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
    int shift = q + ((-k * 1741647) >> 19) + 1;
    const struct csv_power *power = &csv_powers[-k - CSV_POWER_FIRST];

    /* All in quarters: the value, and the bounds of its interval, which belong to it if c is even. */
    uint64_t odd = c & 1;
    uint64_t value = scaled(power, (4 * c) << shift);
    uint64_t lower = scaled(power, (4 * c - 2 + closer) << shift) + odd;
    uint64_t upper = scaled(power, (4 * c + 2) << shift) - odd;
    uint64_t below = value / 4;

    if (below >= 10) {
        uint64_t coarse = below / 10;
        bool down = lower <= 40 * coarse, up = 40 * coarse + 40 <= upper;
        if (down != up)
            return (struct decimal){coarse + up, k + 1};
    }
    bool down = lower <= 4 * below, up = 4 * below + 4 <= upper;
    if (down != up)
        return (struct decimal){below + up, k};
    uint64_t middle = 4 * below + 2;
    bool round_up = value > middle || (value == middle && (below & 1));
    return (struct decimal){below + round_up, k};
}

static void strip_zeros(struct decimal *decimal)
{
    while (decimal->digits % 10 == 0) {
        decimal->digits /= 10;
        decimal->exponent++;
    }
}

static char *put_exponent(char *at, int exponent)
{
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (magnitude >= 100) {
        *at++ = (char)('0' + magnitude / 100);
        magnitude %= 100;
    }
    return csv_put_two(at, magnitude);
}

/* The layout of repr: positional if the first digit's weight is from 10^-4 to 10^15. `decimal` has no
 * trailing zeros. */
static char *put_decimal(char *at, struct decimal decimal)
{
    char text[24 + CSV_SCRIBBLE];
    int count = (int)(csv_put_unsigned(text, decimal.digits) - text);
    int weight = count + decimal.exponent - 1;

    if (weight < -4 || weight > 15) {
        *at++ = text[0];
        if (count > 1) {
            *at++ = '.';
            memcpy(at, text + 1, 16);
            at += count - 1;
        }
        return put_exponent(at, weight);
    }
    if (weight < 0) {
        memcpy(at, "0.000000", 8);
        at += 1 - weight;
        memcpy(at, text, 24);
        return at + count;
    }
    if (decimal.exponent >= 0) {
        memcpy(at, text, 24);
        memset(at + count, '0', 16);
        memcpy(at + weight + 1, ".0", 2);
        return at + weight + 3;
    }
    memcpy(at, text, 16);
    memcpy(at + weight + 2, text + weight + 1, 16);
    at[weight + 1] = '.';
    return at + count + 1;
}

/* A finite number in any of the three formats: `fraction` and `biased` are the fields as stored. */
static char *put_number(char *at, uint64_t fraction, int biased, int fraction_bits, int bias)
{
    if (fraction == 0 && biased == 0) {
        memcpy(at, "0.0", 3);
        return at + 3;
    }
    uint64_t c = biased ? fraction | (UINT64_C(1) << fraction_bits) : fraction;
    int q = (biased ? biased : 1) - bias - fraction_bits;

    /* Integers below 2^(fraction_bits + 1) are their own shortest text. */
    if (q <= 0 && -q <= fraction_bits && (c & ((UINT64_C(1) << -q) - 1)) == 0 &&
        c >> -q < 1000000000000000u) {
        at = csv_put_unsigned(at, c >> -q);
        memcpy(at, ".0", 2);
        return at + 2;
    }
    struct decimal decimal = shortest(c, q, fraction == 0 && biased > 1);
    strip_zeros(&decimal);
    return put_decimal(at, decimal);
}

static char *put_special(char *at, uint64_t fraction, bool negative)
{
    if (fraction != 0)
        return at;
    if (negative)
        *at++ = '-';
    memcpy(at, "inf", 3);
    return at + 3;
}

char *csv_put_double(char *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52) & 0x7ff;
    if (biased == 0x7ff)
        return put_special(at, fraction, bits >> 63);
    *at = '-';
    at += bits >> 63;
    return put_number(at, fraction, biased, 52, 1023);
}

char *csv_put_float(char *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t fraction = bits & 0x7fffff;
    int biased = (int)(bits >> 23) & 0xff;
    if (biased == 0xff)
        return put_special(at, fraction, bits >> 31);
    *at = '-';
    at += bits >> 31;
    return put_number(at, fraction, biased, 23, 127);
}

char *csv_put_half(char *at, uint16_t bits)
{
    uint32_t fraction = bits & 0x3ffu;
    int biased = (bits >> 10) & 0x1f;
    if (biased == 0x1f)
        return put_special(at, fraction, bits >> 15);
    *at = '-';
    at += bits >> 15;
    return put_number(at, fraction, biased, 10, 15);
}
