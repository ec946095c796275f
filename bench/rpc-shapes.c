/* Batches to send; see rpc.h. */
#include <stdlib.h>
#include <string.h>

#include "bench/rpc.h"

const char *const shape_names[SHAPES] = {"int64", "double", "utf8", "mixed"};

static const char *const formats[SHAPES][9] = {
    {"l", "l", "l", "l", NULL},
    {"g", "g", "g", "g", NULL},
    {"u", "u", "u", "u", NULL},
    /* id, customer, status, total, discount, created, city, paid: as an order has them */
    {"l", "l", "u", "d:12,2", "g", "tsu:", "u", "b", NULL},
};

enum { TEXT_BYTES = 14 }; /* on average */

static uint64_t state = 88172645463325252u;

static uint64_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    check(memory != NULL, "out of memory");
    return memory;
}

static void no_release_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static void no_release_array(struct ArrowArray *array)
{
    array->release = NULL;
}

/* Eighths of a byte that a value takes. */
static size_t bits_of(const char *format)
{
    switch (format[0]) {
    case 'b':
        return 1;
    case 'u':
        return 8 * (4 + TEXT_BYTES);
    case 'd':
        return 128;
    default:
        return 64;
    }
}

static size_t fill_text(struct ArrowArray *array, size_t rows)
{
    int32_t *offsets = allocate((rows + 1) * sizeof *offsets);
    char *data = allocate(rows * 2 * TEXT_BYTES);

    for (size_t i = 0; i < rows; i++) {
        int32_t length = (int32_t)(any() % (2 * TEXT_BYTES + 1));
        memset(data + offsets[i], 'a' + (int)(any() % 26), (size_t)length);
        offsets[i + 1] = offsets[i] + length;
    }
    array->n_buffers = 3;
    array->buffers[1] = offsets;
    array->buffers[2] = data;
    return (rows + 1) * sizeof *offsets + (size_t)offsets[rows];
}

static size_t fill(struct ArrowArray *array, const char *format, size_t rows)
{
    *array = (struct ArrowArray){.length = (int64_t)rows, .n_buffers = 2, .release = no_release_array};
    array->buffers = allocate(3 * sizeof(void *));
    if (format[0] == 'u')
        return fill_text(array, rows);
    size_t bytes = (rows * bits_of(format) + 7) / 8;
    uint8_t *values = allocate(bytes + 8);
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        const uint64_t value = any() % 1000000;
        memcpy(values + i, &value, sizeof value);
    }
    array->buffers[1] = values;
    return bytes;
}

struct shape make_shape(int number, size_t bytes)
{
    struct shape shape = {.schema = allocate(sizeof *shape.schema),
                          .array = allocate(sizeof *shape.array)};
    size_t columns = 0, bits = 0;

    for (; formats[number][columns] != NULL; columns++)
        bits += bits_of(formats[number][columns]);
    size_t rows = 8 * bytes / bits;
    *shape.schema = (struct ArrowSchema){.format = "+s", .n_children = (int64_t)columns,
                                         .children = allocate(columns * sizeof(void *)),
                                         .release = no_release_schema};
    *shape.array = (struct ArrowArray){.length = (int64_t)rows, .n_buffers = 1,
                                       .buffers = allocate(sizeof(void *)),
                                       .n_children = (int64_t)columns,
                                       .children = allocate(columns * sizeof(void *)),
                                       .release = no_release_array};
    for (size_t i = 0; i < columns; i++) {
        shape.schema->children[i] = allocate(sizeof(struct ArrowSchema));
        *shape.schema->children[i] = (struct ArrowSchema){
            .format = formats[number][i], .name = "c", .release = no_release_schema};
        shape.array->children[i] = allocate(sizeof(struct ArrowArray));
        shape.bytes += fill(shape.array->children[i], formats[number][i], rows);
    }
    return shape;
}

struct ArrowArray view_of(const struct shape *shape)
{
    return *shape->array;
}
