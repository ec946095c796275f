/* Building Arrow batches; see include/osiris/kit.h. */
#include <osiris/kit.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT 64u
#define FIRST_DATA_BYTES 4096u

struct field {
    char *name;
    char format[48];
};

/* Why a column refuses further values. */
enum { TAKES_ALL, NO_MEMORY, WRONG_TYPE, TOO_MANY_ROWS };

struct osiris_builder {
    struct field *fields;
    struct osiris_column *columns;
    struct osiris_column nowhere; /* returned for an index out of range: has no room */
    size_t count;
    struct osiris_column **varying; /* the columns of utf8 and binary: only they have values of variable size */
    size_t varying_count;
    int64_t max_rows, rows;
    size_t row_bytes; /* bytes per row of the columns of fixed size */
    size_t wrong_index; /* the last index out of range, if `nowhere` was returned */
    int too_many_rows;  /* osiris_builder_end_row was called too often */
    int no_memory;      /* the last finish ran out of memory */
    char error[160];
};

static size_t padded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* The maximum size of a column of bytes: 32-bit offsets cannot address more. */
static size_t usable(size_t bytes)
{
    return bytes > INT32_MAX ? INT32_MAX : bytes;
}

/* Zeroed, so that padding and the slots of nulls contain no stray bytes. */
static uint8_t *new_buffer(size_t bytes)
{
    size_t size = padded(bytes == 0 ? 1 : bytes);
    uint8_t *buffer = aligned_alloc(ALIGNMENT, size);

    if (buffer != NULL)
        memset(buffer, 0, size);
    return buffer;
}

/* Types. */

static const struct {
    const char *format; /* NULL: built from the field's properties */
    size_t size;
} types[] = {
    [OSIRIS_TYPE_NULL] = {"n", 0},        [OSIRIS_TYPE_BOOLEAN] = {"b", 0},
    [OSIRIS_TYPE_INT8] = {"c", 1},        [OSIRIS_TYPE_UINT8] = {"C", 1},
    [OSIRIS_TYPE_INT16] = {"s", 2},       [OSIRIS_TYPE_UINT16] = {"S", 2},
    [OSIRIS_TYPE_INT32] = {"i", 4},       [OSIRIS_TYPE_UINT32] = {"I", 4},
    [OSIRIS_TYPE_INT64] = {"l", 8},       [OSIRIS_TYPE_UINT64] = {"L", 8},
    [OSIRIS_TYPE_FLOAT] = {"f", 4},       [OSIRIS_TYPE_DOUBLE] = {"g", 8},
    [OSIRIS_TYPE_DECIMAL128] = {NULL, 16}, [OSIRIS_TYPE_DECIMAL256] = {NULL, 32},
    [OSIRIS_TYPE_UTF8] = {"u", 4},        [OSIRIS_TYPE_BINARY] = {"z", 4},
    [OSIRIS_TYPE_DATE32] = {"tdD", 4},    [OSIRIS_TYPE_TIME64_US] = {"ttu", 8},
    [OSIRIS_TYPE_TIMESTAMP_US] = {NULL, 8}, [OSIRIS_TYPE_DURATION_US] = {"tDu", 8},
};

static int is_bytes(int32_t type)
{
    return type == OSIRIS_TYPE_UTF8 || type == OSIRIS_TYPE_BINARY;
}

/* -1: only nulls. */
static int way_kept(int32_t type)
{
    static const int8_t ways[] = {
        [OSIRIS_TYPE_NULL] = -1,
        [OSIRIS_TYPE_BOOLEAN] = OSIRIS_KEPT_BOOLEAN,
        [OSIRIS_TYPE_INT8] = OSIRIS_KEPT_INT8,
        [OSIRIS_TYPE_UINT8] = OSIRIS_KEPT_UINT8,
        [OSIRIS_TYPE_INT16] = OSIRIS_KEPT_INT16,
        [OSIRIS_TYPE_UINT16] = OSIRIS_KEPT_UINT16,
        [OSIRIS_TYPE_INT32] = OSIRIS_KEPT_INT32,
        [OSIRIS_TYPE_UINT32] = OSIRIS_KEPT_UINT32,
        [OSIRIS_TYPE_INT64] = OSIRIS_KEPT_INT64,
        [OSIRIS_TYPE_UINT64] = OSIRIS_KEPT_UINT64,
        [OSIRIS_TYPE_FLOAT] = OSIRIS_KEPT_FLOAT,
        [OSIRIS_TYPE_DOUBLE] = OSIRIS_KEPT_DOUBLE,
        [OSIRIS_TYPE_DECIMAL128] = OSIRIS_KEPT_DECIMAL,
        [OSIRIS_TYPE_DECIMAL256] = OSIRIS_KEPT_DECIMAL,
        [OSIRIS_TYPE_UTF8] = OSIRIS_KEPT_BYTES,
        [OSIRIS_TYPE_BINARY] = OSIRIS_KEPT_BYTES,
        [OSIRIS_TYPE_DATE32] = OSIRIS_KEPT_INT32,
        [OSIRIS_TYPE_TIME64_US] = OSIRIS_KEPT_INT64,
        [OSIRIS_TYPE_TIMESTAMP_US] = OSIRIS_KEPT_INT64,
        [OSIRIS_TYPE_DURATION_US] = OSIRIS_KEPT_INT64,
    };

    return ways[type];
}

static int make_format(const struct osiris_field *field, char *format, size_t size)
{
    int digits = field->type == OSIRIS_TYPE_DECIMAL256 ? 76 : 38;
    int length;

    if (field->type < 0 || (size_t)field->type >= sizeof types / sizeof types[0])
        return -1;
    if (types[field->type].format != NULL) {
        length = snprintf(format, size, "%s", types[field->type].format);
    } else if (field->type == OSIRIS_TYPE_TIMESTAMP_US) {
        length = snprintf(format, size, "tsu:%s", field->zone == NULL ? "" : field->zone);
    } else {
        if (field->precision < 1 || field->precision > digits || field->scale > field->precision)
            return -1;
        length = snprintf(format, size, "d:%d,%d%s", field->precision, field->scale,
                          field->type == OSIRIS_TYPE_DECIMAL256 ? ",256" : "");
    }
    return length < 0 || (size_t)length >= size ? -1 : 0;
}

/* Columns. */

static size_t values_bytes(const struct osiris_column *column)
{
    size_t rows = (size_t)column->capacity;

    if (column->type == OSIRIS_TYPE_NULL)
        return 0;
    if (column->type == OSIRIS_TYPE_BOOLEAN)
        return (rows + 7) / 8;
    return (rows + (is_bytes(column->type) ? 1 : 0)) * column->value_size;
}

/* Allocates the buffers of a new batch. A column of bytes starts at the size that it reached in the last batch. */
static int begin_column(struct osiris_column *column)
{
    size_t data = usable(column->data_length + column->data_length / 8);
    uint8_t *values = new_buffer(values_bytes(column));
    uint8_t *bytes = NULL;

    if (is_bytes(column->type)) {
        column->data_capacity = usable(padded(data < FIRST_DATA_BYTES ? FIRST_DATA_BYTES : data));
        bytes = aligned_alloc(ALIGNMENT, padded(column->data_capacity));
    }
    if (values == NULL || (is_bytes(column->type) && bytes == NULL)) {
        free(values);
        free(bytes);
        return -1;
    }
    column->values = values;
    column->data = bytes;
    column->validity = NULL;
    column->data_length = 0;
    column->length = column->null_count = 0;
    return 0;
}

/* Makes the column refuse everything from now on. The first reason is kept. */
static void refuse_all(struct osiris_column *column, int why)
{
    if (column->refused == TAKES_ALL)
        column->refused = why;
    memset(column->room, 0, sizeof column->room);
}

void osiris_append_refused(struct osiris_column *column, int32_t kept)
{
    refuse_all(column, column->room[kept] == 0 ? WRONG_TYPE : TOO_MANY_ROWS);
}

static void free_column(struct osiris_column *column)
{
    free(column->validity);
    free(column->values);
    free(column->data);
}

int osiris_append_bytes_slow(struct osiris_column *column, const void *bytes, size_t length)
{
    size_t needed, capacity = column->data_capacity;

    if (column->length >= column->room[OSIRIS_KEPT_BYTES]) {
        osiris_append_refused(column, OSIRIS_KEPT_BYTES);
        return -1;
    }
    if (__builtin_add_overflow(column->data_length, length, &needed) || needed > INT32_MAX)
        return -1;
    while (capacity < needed)
        capacity = capacity > INT32_MAX / 2 ? INT32_MAX : capacity * 2;
    capacity = usable(padded(capacity));
    uint8_t *data = aligned_alloc(ALIGNMENT, padded(capacity));
    if (data == NULL) {
        refuse_all(column, NO_MEMORY);
        return -1;
    }
    memcpy(data, column->data, column->data_length);
    free(column->data);
    column->data = data;
    column->data_capacity = capacity;
    return osiris_append_bytes(column, bytes, length);
}

void osiris_append_null_slow(struct osiris_column *column)
{
    int64_t at = column->length;

    if (column->refused != TAKES_ALL || at >= column->capacity) {
        refuse_all(column, TOO_MANY_ROWS);
        return;
    }
    if (column->validity == NULL && column->type != OSIRIS_TYPE_NULL) {
        size_t bytes = padded(((size_t)column->capacity + 7) / 8);
        column->validity = aligned_alloc(ALIGNMENT, bytes);
        if (column->validity == NULL) {
            refuse_all(column, NO_MEMORY);
            return;
        }
        memset(column->validity, 0xff, bytes);
    }
    column->null_count++;
    if (column->validity != NULL)
        column->validity[at >> 3] &= (uint8_t)~(1u << (at & 7));
    column->length++;
    if (is_bytes(column->type)) {
        int32_t end = (int32_t)column->data_length;
        memcpy(column->values + (size_t)column->length * sizeof end, &end, sizeof end);
    }
}

/* The builder. */

static int init_column(struct osiris_builder *builder, size_t index,
                       const struct osiris_field *field)
{
    struct osiris_column *column = &builder->columns[index];

    builder->fields[index].name = strdup(field->name == NULL ? "" : field->name);
    if (builder->fields[index].name == NULL ||
        make_format(field, builder->fields[index].format, sizeof builder->fields[index].format) < 0)
        return -1;
    column->type = field->type;
    column->value_size = types[field->type].size;
    column->capacity = builder->max_rows;
    if (way_kept(field->type) >= 0)
        column->room[way_kept(field->type)] = (int32_t)builder->max_rows;
    builder->row_bytes += column->value_size;
    if (is_bytes(column->type))
        builder->varying[builder->varying_count++] = column;
    return begin_column(column);
}

struct osiris_builder *osiris_builder_new(const struct osiris_field *fields, size_t count,
                                          int64_t max_rows)
{
    struct osiris_builder *builder = calloc(1, sizeof *builder);

    if (builder == NULL)
        return NULL;
    builder->max_rows = max_rows;
    builder->fields = calloc(count + 1, sizeof *builder->fields);
    builder->columns = calloc(count + 1, sizeof *builder->columns);
    builder->varying = calloc(count + 1, sizeof(struct osiris_column *));
    if (builder->fields == NULL || builder->columns == NULL || builder->varying == NULL ||
        (fields == NULL && count > 0) || max_rows < 1 || max_rows > INT32_MAX / 64) {
        osiris_builder_free(builder);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        builder->count = i + 1;
        if (init_column(builder, i, &fields[i]) < 0) {
            osiris_builder_free(builder);
            return NULL;
        }
    }
    return builder;
}

void osiris_builder_free(struct osiris_builder *builder)
{
    if (builder == NULL)
        return;
    for (size_t i = 0; i < builder->count; i++) {
        free(builder->fields[i].name);
        free_column(&builder->columns[i]);
    }
    free(builder->fields);
    free(builder->columns);
    free(builder->varying);
    free(builder);
}

struct osiris_column *osiris_builder_column(struct osiris_builder *builder, size_t index)
{
    if (__builtin_expect(index < builder->count, 1))
        return &builder->columns[index];
    builder->wrong_index = index;
    builder->nowhere.refused = WRONG_TYPE;
    return &builder->nowhere;
}

int64_t osiris_builder_rows(const struct osiris_builder *builder)
{
    return builder->rows;
}

size_t osiris_builder_bytes(const struct osiris_builder *builder)
{
    size_t bytes = (size_t)builder->rows * builder->row_bytes;

    for (size_t i = 0; i < builder->varying_count; i++)
        bytes += builder->varying[i]->data_length;
    return bytes;
}

void osiris_builder_end_row(struct osiris_builder *builder)
{
    if (__builtin_expect(builder->rows < builder->max_rows, 1))
        builder->rows++;
    else
        builder->too_many_rows = 1;
}

size_t osiris_type_size(int32_t type)
{
    return type < 0 || (size_t)type >= sizeof types / sizeof types[0] ? 0 : types[type].size;
}

int osiris_builder_is_full(const struct osiris_builder *builder, size_t max_bytes)
{
    return builder->rows >= builder->max_rows || osiris_builder_bytes(builder) >= max_bytes;
}

/* Finished batches. */

static void release_column(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_buffers; i++)
        free((void *)array->buffers[i]);
    free(array->buffers);
    array->release = NULL;
}

static void release_batch(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL)
            array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    free(array->buffers);
    array->release = NULL;
}

static int64_t buffer_count(int32_t type)
{
    return type == OSIRIS_TYPE_NULL ? 0 : is_bytes(type) ? 3 : 2;
}

/* An array without buffers; they are moved in when nothing can fail any more. */
static struct ArrowArray *new_shell(int32_t type)
{
    struct ArrowArray *array = calloc(1, sizeof *array);

    if (array == NULL)
        return NULL;
    array->release = release_column;
    array->buffers = calloc((size_t)buffer_count(type) + 1, sizeof(void *));
    if (array->buffers != NULL)
        return array;
    free(array);
    return NULL;
}

static void move_column(const struct osiris_column *column, struct ArrowArray *array)
{
    array->length = column->length;
    array->null_count = column->null_count;
    array->n_buffers = buffer_count(column->type);
    if (array->n_buffers == 0) {
        free(column->values);
        return;
    }
    array->buffers[0] = column->validity;
    array->buffers[1] = column->values;
    if (array->n_buffers == 3)
        array->buffers[2] = column->data;
}

static int make_shells(const struct osiris_builder *builder, struct ArrowArray *out)
{
    *out = (struct ArrowArray){.n_buffers = 1, .release = release_batch};
    out->buffers = calloc(1, sizeof(void *));
    out->children = calloc(builder->count + 1, sizeof(struct ArrowArray *));
    if (out->buffers == NULL || out->children == NULL)
        return -1;
    for (size_t i = 0; i < builder->count; i++) {
        out->children[i] = new_shell(builder->columns[i].type);
        if (out->children[i] == NULL)
            return -1;
        out->n_children = (int64_t)i + 1;
    }
    return 0;
}

/* -1 with the reason set, if the column has refused something. */
static int check_refusal(struct osiris_builder *builder, size_t index)
{
    const struct osiris_column *column = &builder->columns[index];
    const char *name = builder->fields[index].name;

    switch (column->refused) {
    case TAKES_ALL:
        return 0;
    case NO_MEMORY:
        snprintf(builder->error, sizeof builder->error, "out of memory");
        return -1;
    case WRONG_TYPE:
        snprintf(builder->error, sizeof builder->error,
                 "column \"%.64s\" (%.16s): a value of another type was appended", name,
                 builder->fields[index].format);
        return -1;
    default:
        snprintf(builder->error, sizeof builder->error,
                 "column \"%.64s\" has more values than a batch may have rows (%lld)", name,
                 (long long)builder->max_rows);
        return -1;
    }
}

static int check_length(struct osiris_builder *builder, size_t index)
{
    const struct osiris_column *column = &builder->columns[index];

    if (column->length == builder->rows)
        return 0;
    snprintf(builder->error, sizeof builder->error, "column \"%.64s\" has %lld value%s, and the batch has %lld row%s",
             builder->fields[index].name, (long long)column->length, column->length == 1 ? "" : "s",
             (long long)builder->rows, builder->rows == 1 ? "" : "s");
    return -1;
}

static int check(struct osiris_builder *builder)
{
    builder->error[0] = '\0';
    if (builder->nowhere.refused != TAKES_ALL) {
        snprintf(builder->error, sizeof builder->error, "there is no column %zu; indices must be below %zu",
                 builder->wrong_index, builder->count);
        return -1;
    }
    for (size_t i = 0; i < builder->count; i++)
        if (check_refusal(builder, i) < 0)
            return -1;
    if (builder->too_many_rows) {
        snprintf(builder->error, sizeof builder->error,
                 "more rows were ended than a batch may have (%lld)", (long long)builder->max_rows);
        return -1;
    }
    for (size_t i = 0; i < builder->count; i++)
        if (check_length(builder, i) < 0)
            return -1;
    return 0;
}

const char *osiris_builder_error(struct osiris_builder *builder)
{
    static const char no_memory[] = "out of memory";

    if (check(builder) < 0)
        return builder->error;
    return builder->no_memory ? no_memory : NULL;
}

/* Creates the columns of the next batch first, so that a lack of memory leaves this batch unchanged. */
int osiris_builder_finish(struct osiris_builder *builder, struct ArrowArray *out)
{
    struct osiris_column *next;
    size_t begun = 0;

    *out = (struct ArrowArray){0};
    if (check(builder) < 0)
        return -1;
    builder->no_memory = 1;
    next = malloc((builder->count + 1) * sizeof *next);
    if (next == NULL || make_shells(builder, out) < 0)
        goto failed;
    memcpy(next, builder->columns, builder->count * sizeof *next);
    while (begun < builder->count && begin_column(&next[begun]) == 0)
        begun++;
    if (begun < builder->count)
        goto failed;
    out->length = builder->rows;
    for (size_t i = 0; i < builder->count; i++)
        move_column(&builder->columns[i], out->children[i]);
    memcpy(builder->columns, next, builder->count * sizeof *next);
    free(next);
    builder->rows = 0;
    builder->no_memory = 0;
    return 0;
failed:
    for (size_t i = 0; i < begun; i++)
        free_column(&next[i]);
    if (out->release == release_batch)
        release_batch(out);
    free(next);
    return -1;
}

/* Schemas. */

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release != NULL)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    free((char *)schema->format);
    free((char *)schema->name);
    schema->release = NULL;
}

static int fill_schema(struct ArrowSchema *schema, const char *format, const char *name)
{
    *schema = (struct ArrowSchema){.flags = ARROW_FLAG_NULLABLE, .release = release_schema};
    schema->format = strdup(format);
    schema->name = strdup(name);
    return schema->format == NULL || schema->name == NULL ? -1 : 0;
}

static int fill_children(const struct osiris_builder *builder, struct ArrowSchema *out)
{
    out->children = calloc(builder->count + 1, sizeof(struct ArrowSchema *));
    if (out->children == NULL)
        return -1;
    for (size_t i = 0; i < builder->count; i++) {
        out->children[i] = calloc(1, sizeof(struct ArrowSchema));
        if (out->children[i] == NULL)
            return -1;
        out->n_children = (int64_t)i + 1;
        if (fill_schema(out->children[i], builder->fields[i].format, builder->fields[i].name) < 0)
            return -1;
    }
    return 0;
}

int osiris_builder_schema(const struct osiris_builder *builder, struct ArrowSchema *out)
{
    if (fill_schema(out, "+s", "") == 0 && fill_children(builder, out) == 0)
        return 0;
    release_schema(out);
    return -1;
}
