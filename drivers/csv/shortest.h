/*
 * Floating point numbers as the shortest decimal text that reads back as the same number, laid out like
 * Python's repr: "1.0", "0.1", "1e-05", "1e+16", "inf". A NaN has no text: nothing is written.
 *
 * They write at most CSV_FLOAT_WIDTH bytes, and may overwrite up to CSV_SCRIBBLE more (see digits.h).
 */
#ifndef OSIRIS_CSV_SHORTEST_H
#define OSIRIS_CSV_SHORTEST_H

#include <stdint.h>

#define CSV_FLOAT_WIDTH 25 /* -1.2345678901234567e-308 is 24 bytes long */

char *csv_put_double(char *at, double value);
char *csv_put_float(char *at, float value);
/* The bits of an IEEE 754 binary16. */
char *csv_put_half(char *at, uint16_t bits);

#endif
