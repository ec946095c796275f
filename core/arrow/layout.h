/*
 * The buffers of an array, from a format string of the Arrow C data interface.
 * Source: https://arrow.apache.org/docs/format/CDataInterface.html, "Data type description", and
 * Columnar.html, "Buffer Listing for Each Layout".
 */
#ifndef OSIRIS_CORE_ARROW_LAYOUT_H
#define OSIRIS_CORE_ARROW_LAYOUT_H

#include <osiris/arrow.h>
#include <stdbool.h>
#include <stdint.h>

enum arrow_layout {
    ARROW_UNKNOWN,
    ARROW_NULL,         /* no buffers */
    ARROW_FIXED,        /* validity, values of `bits` each */
    ARROW_VARIABLE,     /* validity, offsets of `offset_bytes`, bytes */
    ARROW_LIST,         /* validity, offsets of `offset_bytes`; one child */
    ARROW_FIXED_LIST,   /* validity; one child with `list_size` elements each */
    ARROW_STRUCT,       /* validity; any number of children */
};

struct arrow_type {
    enum arrow_layout layout;
    uint32_t bits;        /* of a value (ARROW_FIXED) */
    uint32_t offset_bytes; /* 4 or 8 */
    uint32_t list_size;
};

/* layout ARROW_UNKNOWN: a format that Osiris does not support (unions, run-end encoding, views). */
struct arrow_type arrow_type_from_format(const char *format);

/* Buffers that an array of the type has. */
int64_t arrow_buffer_count(const struct arrow_type *type);

/* Bytes that buffer `index` of an array (offset + length elements) holds; valid only after arrow_check.
 * Saturates. */
uint64_t arrow_buffer_bytes(const struct arrow_type *type, const struct ArrowArray *array,
                            int64_t index);

/* Whether any of `count` + 1 offsets, of 4 or 8 bytes each, is less than the one before it. */
bool arrow_offsets_descend(const void *offsets, uint32_t offset_bytes, int64_t count);

#endif
