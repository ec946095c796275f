/*
 * One column, or one member of a nested one: how its values become text. Chosen once from the
 * schema, then bound to the arrays of each batch in turn.
 */
#ifndef OSIRIS_CSV_FIELD_H
#define OSIRIS_CSV_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <osiris/arrow.h>

#include "options.h"
#include "sink.h"

#define CSV_FIELD_WIDTH_MAX 512 /* the longest fixed-width text */

struct csv_field;

/* Writes the value at `index` (the array's offset included), which is not null, at `at`; returns the
 * end, or NULL, reported. */
typedef char *(*csv_put)(struct csv_field *field, int64_t index, char *at);

enum csv_kind {
    CSV_FIXED,      /* `put` writes at most `width` bytes of text */
    CSV_TEXT,       /* bytes that are text */
    CSV_BINARY,     /* bytes that are not */
    CSV_DICTIONARY, /* indexes into `dictionary` */
    CSV_LIST,
    CSV_FIXED_LIST,
    CSV_STRUCT,
    CSV_MAP,
    CSV_NULLS,      /* all null */
};

/* How values appear in JSON text and with quoting "nonnumeric". */
enum csv_class {
    CSV_CLASS_NUMBER,
    CSV_CLASS_FLOAT, /* a number, or a value that is not finite */
    CSV_CLASS_BOOLEAN,
    CSV_CLASS_STRING,
};

/* A growing scratch text, for nested values. */
struct csv_scratch {
    char *data;
    size_t size;
    size_t capacity;
    unsigned values; /* rendered since the last check for a cancel */
};

/* Shared by all fields of one writer. */
struct csv_context {
    const struct osiris_host *host;
    const struct csv_options *options;
    struct csv_sink sink;
    struct csv_scratch scratch;
    int64_t rows; /* written before the current batch */
    int64_t row;  /* the current row of the batch; -1: the header is being written */
};

struct csv_field {
    /* From the schema. */
    csv_put put;  /* fixed width: the value's text */
    csv_put cell; /* columns: the value as a field of the file */
    struct csv_context *context;
    char *name;     /* owned */
    int64_t source; /* columns: the index in the schema */
    enum csv_kind kind;
    enum csv_class class;
    size_t width;
    bool large;          /* 64-bit offsets */
    bool fixed_size;     /* binary without offsets */
    char index_format;   /* dictionary: the type of the indexes */
    char type[4];        /* fixed width: the format's first three characters */
    int scale;           /* decimal */
    int bits;            /* decimal */
    int64_t byte_width;  /* fixed-size binary; fixed-size list: members a list */
    int64_t per_second;
    bool zoned;
    struct csv_field *children; /* owned */
    size_t child_count;
    struct csv_field *dictionary; /* owned */

    /* From the batch; borrowed. */
    const uint8_t *validity; /* NULL: no nulls */
    int64_t offset;
    int64_t length;          /* elements that may be addressed, offset included */
    const void *values;      /* values, indexes or bytes */
    const void *offsets;
    const char *data_end;    /* text and binary: of the bytes that the offsets cover */

    /* The day that was printed last, because rows are often ordered by time. */
    int64_t cached_day;
    size_t cached_size;
    char cached_text[32];
};

/* 0, or -1 reported: a type that cannot be written. After either, clear it. */
int csv_field_init(struct csv_field *field, struct csv_context *context,
                   const struct ArrowSchema *schema);
void csv_field_clear(struct csv_field *field);

/* Makes `put` and `cell` read from `array`. Checks its structure and that its offsets never run
 * backwards. 0, or -1 reported. */
int csv_field_bind(struct csv_field *field, const struct ArrowArray *array);

static inline bool csv_field_is_null(const struct csv_field *field, int64_t index)
{
    return field->validity != NULL && !(field->validity[index >> 3] >> (index & 7) & 1);
}

/* The bytes of the text or binary value at `index`. */
void csv_field_bytes(const struct csv_field *field, int64_t index, const char **data, size_t *size);

/* The index in the dictionary, or -1, reported. */
int64_t csv_field_dictionary_index(const struct csv_field *field, int64_t index);

/* Chooses `put` and what goes with it for a fixed-width type (put.c). 0; 1 if `format` is not one; -1
 * reported. */
int csv_put_choose(struct csv_field *field, const char *format);

/* Grows the scratch text to this many bytes and keeps its content. 0, or -1 reported (json.c). */
int csv_scratch_resize(struct csv_context *context, size_t size);

/* Replaces the context's scratch text by a value of any kind as JSON. 0, or -1 reported (json.c). */
int csv_json_render(struct csv_field *field, int64_t index);

#endif
