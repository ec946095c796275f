/*
 * Checks what a driver hands over before anyone uses it: a schema once for each stream, then each batch.
 *
 * The C data interface contains no buffer sizes, so what is visible is checked: known formats, counts of buffers and
 * children, lengths and offsets (not negative, not absurd, not overflowing), children as long as their parents need,
 * buffers there where data must be, aligned as their values are, offsets that start at or above zero, never go down,
 * and stay below ARROW_MAXIMUM_BYTES. The cost is a few instructions a column, and a pass over the offsets of columns
 * of variable size.
 */
#ifndef OSIRIS_CORE_ARROW_CHECK_H
#define OSIRIS_CORE_ARROW_CHECK_H

#include <osiris/arrow.h>
#include <stdint.h>

#include "core/base/error.h"

#define ARROW_MAXIMUM_DEPTH 32
#define ARROW_MAXIMUM_COLUMNS 16384
#define ARROW_MAXIMUM_ROWS (INT64_C(1) << 40)
#define ARROW_MAXIMUM_BYTES (INT64_C(1) << 40)

/* The schema of a stream: a struct whose children are the columns. */
int arrow_check_schema(const struct ArrowSchema *schema, struct osiris_error *error);

/* One batch of a checked schema. */
int arrow_check_array(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      struct osiris_error *error);

/* Bytes that a checked array's buffers hold; what queues are bounded by. */
uint64_t arrow_array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *array);

#endif
