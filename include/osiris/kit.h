/*
 * The kit is a small static library (libosiris-kit.a, `pkg-config --libs osiris`) that builds
 * Arrow batches. At run time it needs only libc, and nothing of Osiris. Using it is optional.
 *
 *     const struct osiris_field fields[] = {{.name = "id", .type = OSIRIS_TYPE_INT64},
 *                                           {.name = "name", .type = OSIRIS_TYPE_UTF8}};
 *     struct osiris_builder *builder = osiris_builder_new(fields, 2, 10000);
 *     for each row, for each column: osiris_append_int64(osiris_builder_column(builder, 0), 7); …
 *                                    osiris_builder_end_row(builder);
 *     when osiris_builder_is_full(builder, 2 << 20): osiris_builder_finish(builder, &array);
 *
 * Every column of a row gets exactly one append (a value or a null) before
 * osiris_builder_end_row. Appends of fixed-size values take a few instructions: space for
 * `max_rows` rows is allocated at the start of a batch. Appends of bytes can fail (out of memory,
 * or more than INT32_MAX bytes in a batch).
 *
 * An error never shifts a column. osiris_builder_finish fails if a column does not have exactly
 * the rows of the batch. These errors write nothing and make every later osiris_builder_finish
 * fail: a value of another type than the column's, a column that does not exist, a row beyond
 * max_rows, and a lack of memory in an append. osiris_builder_error says why.
 *
 * A builder belongs to one thread. Finished batches are independent of it and may be released on
 * any thread.
 */
#ifndef OSIRIS_KIT_H
#define OSIRIS_KIT_H

#include <osiris/arrow.h>
#include <osiris/host.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Column types, each with the Arrow format that it produces. */
enum {
    OSIRIS_TYPE_NULL = 0,         /* n: nulls only */
    OSIRIS_TYPE_BOOLEAN = 1,      /* b */
    OSIRIS_TYPE_INT8 = 2,         /* c */
    OSIRIS_TYPE_UINT8 = 3,        /* C */
    OSIRIS_TYPE_INT16 = 4,        /* s */
    OSIRIS_TYPE_UINT16 = 5,       /* S */
    OSIRIS_TYPE_INT32 = 6,        /* i */
    OSIRIS_TYPE_UINT32 = 7,       /* I */
    OSIRIS_TYPE_INT64 = 8,        /* l */
    OSIRIS_TYPE_UINT64 = 9,       /* L */
    OSIRIS_TYPE_FLOAT = 10,       /* f */
    OSIRIS_TYPE_DOUBLE = 11,      /* g */
    OSIRIS_TYPE_DECIMAL128 = 12,  /* d:precision,scale; 16 bytes, little-endian two's complement */
    OSIRIS_TYPE_DECIMAL256 = 13,  /* d:precision,scale,256; 32 bytes */
    OSIRIS_TYPE_UTF8 = 14,        /* u */
    OSIRIS_TYPE_BINARY = 15,      /* z */
    OSIRIS_TYPE_DATE32 = 16,      /* tdD: days since 1970-01-01 */
    OSIRIS_TYPE_TIME64_US = 17,   /* ttu: microseconds since midnight */
    OSIRIS_TYPE_TIMESTAMP_US = 18, /* tsu:zone: microseconds since 1970-01-01 */
    OSIRIS_TYPE_DURATION_US = 19, /* tDu: microseconds */
};

struct osiris_field {
    const char *name; /* copied */
    int32_t type;     /* OSIRIS_TYPE_… */
    int32_t precision, scale; /* decimals: 1…38 or 1…76 digits */
    const char *zone; /* timestamps: "UTC" or another time zone; NULL or "": without one; copied */
};

/* How values are stored, which is what an append writes: int64 also for time64, timestamp and
 * duration, int32 also for date32. For the inline functions below only. */
enum {
    OSIRIS_KEPT_BOOLEAN,
    OSIRIS_KEPT_INT8,
    OSIRIS_KEPT_UINT8,
    OSIRIS_KEPT_INT16,
    OSIRIS_KEPT_UINT16,
    OSIRIS_KEPT_INT32,
    OSIRIS_KEPT_UINT32,
    OSIRIS_KEPT_INT64,
    OSIRIS_KEPT_UINT64,
    OSIRIS_KEPT_FLOAT,
    OSIRIS_KEPT_DOUBLE,
    OSIRIS_KEPT_DECIMAL,
    OSIRIS_KEPT_BYTES,
    OSIRIS_KEPT_COUNT,
};

/* A column under construction. Its members are for the inline functions below only. */
struct osiris_column {
    uint8_t *validity; /* NULL until the first null of the batch */
    uint8_t *values;   /* fixed size: the values; utf8 and binary: int32 offsets */
    uint8_t *data;     /* utf8 and binary: the bytes */
    size_t data_length, data_capacity;
    int64_t length, null_count, capacity;
    size_t value_size; /* bytes per value; 0 for bits and nulls */
    int32_t type;
    int32_t refused; /* why appends are refused; 0: they are accepted */
    /* For each way of storing values: the number of rows that there is space for, or 0 if the
     * column stores its values in another way. One comparison therefore finds a row too many and
     * a wrong type. */
    int32_t room[OSIRIS_KEPT_COUNT];
};

struct osiris_builder;

/* Bytes of a fixed-size value of this type (utf8 and binary: of an offset); 0: bits, nulls,
 * unknown type. */
size_t osiris_type_size(int32_t type);

/* `max_rows`: maximum number of rows in a batch, at least 1. NULL: out of memory, or a field is
 * malformed. Space for the fixed-size values of all these rows is allocated at once, so consider
 * the width of a row, too. */
struct osiris_builder *osiris_builder_new(const struct osiris_field *fields, size_t count,
                                          int64_t max_rows);
void osiris_builder_free(struct osiris_builder *builder);

/* The schema: a struct of the columns, all nullable. 0, or -1 (out of memory). */
int osiris_builder_schema(const struct osiris_builder *builder, struct ArrowSchema *out);

/* Valid until osiris_builder_free. If the index does not exist, the builder fails, and the returned
 * column refuses all appends. */
struct osiris_column *osiris_builder_column(struct osiris_builder *builder, size_t index);

/* The rows in the batch under construction, and approximately the bytes that they take. */
int64_t osiris_builder_rows(const struct osiris_builder *builder);
size_t osiris_builder_bytes(const struct osiris_builder *builder);

/* Ends a row and counts it. A row beyond max_rows is not counted, and the builder fails. */
void osiris_builder_end_row(struct osiris_builder *builder);
/* Non-zero: the batch has max_rows rows or `max_bytes` bytes. Finish it before the next row. */
int osiris_builder_is_full(const struct osiris_builder *builder, size_t max_bytes);

/* Moves the batch to *out and begins the next one. 0, or -1: out of memory for the next batch; or
 * a column does not have the rows of the batch (the batch is unchanged then, and may be finished
 * once this is corrected); or the builder has failed permanently. */
int osiris_builder_finish(struct osiris_builder *builder, struct ArrowArray *out);

/* Why osiris_builder_finish has failed, or would fail now ("column \"id\" has 3 of the batch's 4
 * rows"); NULL: nothing is wrong. The text belongs to the builder and is valid until the next
 * call. A driver reports it as OSIRIS_ERROR_INTERNAL. */
const char *osiris_builder_error(struct osiris_builder *builder);

/* utf8, binary. 0, or -1: out of memory (the builder fails), or the batch would have more than
 * INT32_MAX bytes in this column (nothing was appended; the row still needs a value). */
int osiris_append_bytes_slow(struct osiris_column *column, const void *bytes, size_t length);

/* Allocates the validity bitmap at the first null. */
void osiris_append_null_slow(struct osiris_column *column);

/* An append for which there is no space. `kept`: how it would have stored the value. */
void osiris_append_refused(struct osiris_column *column, int32_t kept) __attribute__((cold));

/* The length is read once, and incremented before the value is written: after a write the
 * compiler would have to read it again. */
#define OSIRIS_HAS_ROOM(column, at, way) (__builtin_expect((at) < (column)->room[way], 1))

#define OSIRIS_APPEND(name, ctype, way)                                                            \
    static inline void osiris_append_##name(struct osiris_column *column, ctype value)             \
    {                                                                                              \
        const int64_t at = column->length;                                                         \
                                                                                                   \
        if (!OSIRIS_HAS_ROOM(column, at, way)) {                                                   \
            osiris_append_refused(column, way);                                                    \
            return;                                                                                \
        }                                                                                          \
        column->length = at + 1;                                                                   \
        memcpy(column->values + (size_t)at * sizeof(ctype), &value, sizeof(ctype));                \
    }

OSIRIS_APPEND(int8, int8_t, OSIRIS_KEPT_INT8)
OSIRIS_APPEND(uint8, uint8_t, OSIRIS_KEPT_UINT8)
OSIRIS_APPEND(int16, int16_t, OSIRIS_KEPT_INT16)
OSIRIS_APPEND(uint16, uint16_t, OSIRIS_KEPT_UINT16)
OSIRIS_APPEND(int32, int32_t, OSIRIS_KEPT_INT32)
OSIRIS_APPEND(uint32, uint32_t, OSIRIS_KEPT_UINT32)
OSIRIS_APPEND(int64, int64_t, OSIRIS_KEPT_INT64)
OSIRIS_APPEND(uint64, uint64_t, OSIRIS_KEPT_UINT64)
OSIRIS_APPEND(float, float, OSIRIS_KEPT_FLOAT)
OSIRIS_APPEND(double, double, OSIRIS_KEPT_DOUBLE)
OSIRIS_APPEND(date32, int32_t, OSIRIS_KEPT_INT32)
OSIRIS_APPEND(time64, int64_t, OSIRIS_KEPT_INT64)
OSIRIS_APPEND(timestamp, int64_t, OSIRIS_KEPT_INT64)
OSIRIS_APPEND(duration, int64_t, OSIRIS_KEPT_INT64)

#undef OSIRIS_APPEND

static inline void osiris_append_boolean(struct osiris_column *column, int value)
{
    const int64_t at = column->length;

    if (!OSIRIS_HAS_ROOM(column, at, OSIRIS_KEPT_BOOLEAN)) {
        osiris_append_refused(column, OSIRIS_KEPT_BOOLEAN);
        return;
    }
    column->length = at + 1;
    if (value)
        column->values[at >> 3] |= (uint8_t)(1u << (at & 7));
}

/* `words`: 2 for a decimal128, 4 for a decimal256, the least significant first. */
static inline void osiris_append_decimal(struct osiris_column *column, const uint64_t *words)
{
    const int64_t at = column->length;

    if (!OSIRIS_HAS_ROOM(column, at, OSIRIS_KEPT_DECIMAL)) {
        osiris_append_refused(column, OSIRIS_KEPT_DECIMAL);
        return;
    }
    column->length = at + 1;
    memcpy(column->values + (size_t)at * column->value_size, words, column->value_size);
}

static inline int osiris_append_bytes(struct osiris_column *column, const void *bytes,
                                      size_t length)
{
    const int64_t at = column->length;
    const size_t begin = column->data_length;
    const int32_t end = (int32_t)(begin + length);
    uint8_t *offsets = column->values;

    if (length > column->data_capacity - begin || !OSIRIS_HAS_ROOM(column, at, OSIRIS_KEPT_BYTES))
        return osiris_append_bytes_slow(column, bytes, length);
    column->data_length = begin + length;
    column->length = at + 1;
    memcpy(offsets + (size_t)(at + 1) * sizeof end, &end, sizeof end);
    memcpy(column->data + begin, bytes, length);
    return 0;
}

static inline void osiris_append_null(struct osiris_column *column)
{
    osiris_append_null_slow(column);
}

#undef OSIRIS_HAS_ROOM

/* Reports an error to the host, printf-like. Always returns -1. `hint` may be NULL. */
int osiris_fail(const struct osiris_host *host, int32_t category, int32_t retryable,
                int32_t native_code, const char *native_state, const char *hint, const char *format,
                ...) __attribute__((format(printf, 7, 8)));

/* The same for an invalid option: a key of the config or connection, or a JSON pointer
 * ("/columns/2"). */
int osiris_refuse(const struct osiris_host *host, const char *option, const char *hint,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Writes a log line, printf-like. */
void osiris_log(const struct osiris_host *host, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#endif
