/* Random batches over the wire (core/wire/batch.h): of any schema, from any slices, with any nulls, compressed or not, every
 * value comes back. OSIRIS_TEST_SEED repeats a failure; the seed is in its message. */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arrow-digest.h"
#include "core/arrow/check.h"
#include "core/arrow/layout.h"
#include "core/wire/body.h"
#include "core/base/json-access.h"
#include "core/wire/message.h"
#include "core/wire/batch.h"

enum { ROUNDS = 1500, DEEPEST = 4, LONGEST = 70 };

static uint64_t state, seed;

static uint64_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(2685821657736338717);
}

static int64_t below(int64_t bound)
{
    return (int64_t)((any() >> 16) % (uint64_t)bound);
}

static bool one_in(int64_t n)
{
    return below(n) == 0;
}

static void *room(size_t size)
{
    void *memory = calloc(1, size + 1);

    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* Schemas. */

static void free_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    if (schema->dictionary != NULL)
        schema->dictionary->release(schema->dictionary);
    free(schema->dictionary);
    schema->release = NULL;
}

static void make_schema(struct ArrowSchema *schema, int depth);

static void make_children(struct ArrowSchema *schema, int64_t count, int depth)
{
    schema->n_children = count;
    schema->children = room((size_t)count * sizeof(struct ArrowSchema *));
    for (int64_t i = 0; i < count; i++) {
        schema->children[i] = room(sizeof(struct ArrowSchema));
        make_schema(schema->children[i], depth + 1);
    }
}

static const char *const flat[] = {"n",   "b",    "c",    "C",   "s",    "S",    "i",       "I",          "l",
                                   "L",   "e",    "f",    "g",   "tdD",  "tdm",  "ttu",     "tsn:Europe/Prague",
                                   "tDm", "tin",  "d:9,2", "d:38,10", "d:70,30,256", "w:1", "w:7", "u", "U", "z", "Z"};
static const char *const deep[] = {"+s", "+l", "+L", "+w:1", "+w:3", "+m"};
static const char *const indices[] = {"c", "C", "s", "S", "i", "I", "l", "L"};

static void make_schema(struct ArrowSchema *schema, int depth)
{
    bool nested = depth == 0 || (depth < DEEPEST && one_in(4));

    *schema = (struct ArrowSchema){.name = one_in(5) ? NULL : "name", .release = free_schema};
    schema->flags = one_in(2) ? ARROW_FLAG_NULLABLE : 0;
    if (!nested && one_in(6)) {
        schema->format = indices[below(8)];
        schema->dictionary = room(sizeof *schema->dictionary);
        make_schema(schema->dictionary, depth + 1);
        return;
    }
    schema->format = depth == 0 ? "+s"
                     : nested   ? deep[below(sizeof deep / sizeof deep[0])]
                                : flat[below(sizeof flat / sizeof flat[0])];
    if (strcmp(schema->format, "+s") == 0)
        make_children(schema, below(depth == 0 ? 9 : 4), depth);
    else if (strcmp(schema->format, "+m") == 0) {
        make_children(schema, 1, depth);
        schema->children[0]->release(schema->children[0]);
        *schema->children[0] = (struct ArrowSchema){.format = "+s", .release = free_schema};
        make_children(schema->children[0], 2, depth + 1);
    } else if (nested)
        make_children(schema, 1, depth);
}

/* Arrays. */

static void free_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_buffers; i++)
        free((void *)array->buffers[i]);
    free(array->buffers);
    for (int64_t i = 0; i < array->n_children; i++) {
        array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    if (array->dictionary != NULL)
        array->dictionary->release(array->dictionary);
    free(array->dictionary);
    array->release = NULL;
}

static void *random_bytes(size_t length)
{
    uint8_t *bytes = room(length);
    uint64_t mask = one_in(3) ? 0x0101 : UINT64_MAX; /* what compresses, and what does not */

    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(any() & mask);
    return bytes;
}

/* Exactly as long as it must be: a sanitizer sees what reads beyond. */
static void *make_bits(int64_t count, int kind)
{
    size_t length = ((size_t)count + 7) / 8;
    uint8_t *bits = kind == 0 ? room(length) : random_bytes(length);

    if (kind == 1)
        memset(bits, 0xff, length);
    return bits;
}

static int64_t count_nulls(const struct ArrowArray *array)
{
    const uint8_t *bits = array->buffers[0];
    int64_t nulls = 0;

    for (int64_t i = array->offset; i < array->offset + array->length; i++)
        nulls += !(bits[i / 8] >> i % 8 & 1);
    return nulls;
}

static void add_validity(struct ArrowArray *array)
{
    if (one_in(3))
        return;
    array->buffers[0] = make_bits(array->offset + array->length, (int)below(3));
    array->null_count = one_in(2) ? -1 : count_nulls(array);
}

/* Returns how many elements lie before the last offset. */
static int64_t make_offsets(struct ArrowArray *array, unsigned bytes)
{
    int64_t count = array->offset + array->length, at = below(9);
    char *offsets = room((size_t)(count + 1) * bytes);

    for (int64_t i = 0; i <= count; i++) {
        if (bytes == 4)
            ((int32_t *)(void *)offsets)[i] = (int32_t)at;
        else
            ((int64_t *)(void *)offsets)[i] = at;
        at += i == count || one_in(3) ? 0 : below(5);
    }
    array->buffers[1] = offsets;
    return at;
}

static void put_index(char width, void *values, int64_t at, int64_t index)
{
    switch (width) {
    case 'c':
    case 'C':
        ((int8_t *)values)[at] = (int8_t)index;
        break;
    case 's':
    case 'S':
        ((int16_t *)values)[at] = (int16_t)index;
        break;
    case 'i':
    case 'I':
        ((int32_t *)values)[at] = (int32_t)index;
        break;
    default:
        ((int64_t *)values)[at] = index;
    }
}

static bool is_null(const struct ArrowArray *array, int64_t at)
{
    return array->buffers[0] != NULL && array->null_count != 0 &&
           !(((const uint8_t *)array->buffers[0])[at / 8] >> at % 8 & 1);
}

static void make_array(const struct ArrowSchema *schema, int64_t length, struct ArrowArray *array);

/* An index under a null, or before the slice, may be anything. */
static void make_dictionary(const struct ArrowSchema *schema, struct ArrowArray *array)
{
    int64_t words = 1 + below(40);
    void *values = random_bytes(8 * (size_t)(array->offset + array->length));

    array->dictionary = room(sizeof *array->dictionary);
    make_array(schema->dictionary, words, array->dictionary);
    for (int64_t i = 0; i < array->length; i++)
        if (!is_null(array, array->offset + i))
            put_index(schema->format[0], values, array->offset + i, below(words));
    array->buffers[1] = values;
}

static void make_fixed(const struct ArrowSchema *schema, const struct arrow_type *type,
                       struct ArrowArray *array)
{
    int64_t count = array->offset + array->length;

    if (schema->dictionary != NULL)
        make_dictionary(schema, array);
    else
        array->buffers[1] = type->bits == 1 ? make_bits(count, (int)below(3))
                                            : random_bytes((size_t)count * type->bits / 8);
}

static void make_array_children(const struct ArrowSchema *schema, int64_t needed,
                                struct ArrowArray *array)
{
    array->n_children = schema->n_children;
    array->children = room((size_t)schema->n_children * sizeof(struct ArrowArray *));
    for (int64_t i = 0; i < schema->n_children; i++) {
        array->children[i] = room(sizeof(struct ArrowArray));
        make_array(schema->children[i], needed + (one_in(2) ? below(5) : 0), array->children[i]);
    }
}

static void make_array(const struct ArrowSchema *schema, int64_t length, struct ArrowArray *array)
{
    const struct arrow_type type = arrow_type_from_format(schema->format);
    int64_t offset = one_in(2) ? 0 : below(20), count = offset + length;

    *array = (struct ArrowArray){.length = length, .offset = offset,
                                 .n_buffers = arrow_buffer_count(&type), .release = free_array};
    array->buffers = room(3 * sizeof(void *));
    if (type.layout == ARROW_NULL) {
        array->null_count = length;
        return;
    }
    add_validity(array);
    switch (type.layout) {
    case ARROW_FIXED:
        make_fixed(schema, &type, array);
        break;
    case ARROW_VARIABLE:
        array->buffers[2] = random_bytes((size_t)make_offsets(array, type.offset_bytes));
        break;
    case ARROW_LIST:
        make_array_children(schema, make_offsets(array, type.offset_bytes), array);
        break;
    case ARROW_FIXED_LIST:
        make_array_children(schema, count * type.list_size, array);
        break;
    default:
        make_array_children(schema, count, array);
    }
}

/* What a reader gets of the message. */
static json_object *header_of(const struct wire_batch *batch)
{
    _cleanup_buffer_ struct buffer bytes = BUFFER_INIT(1 << 20);

    ck_assert(wire_batch_write(batch, 1, &bytes, NULL) == 0);
    _cleanup_json_ json_object *message =
        message_decode((const uint8_t *)bytes.data, bytes.length, NULL);
    return json_object_get(json_member(message, "data"));
}

/* What a receiver would have. */
static void *gather(const struct wire_batch *batch)
{
    void *body = NULL;
    size_t at = 0;

    if (batch->length == 0)
        return NULL;
    body = body_new(NULL, batch->length);
    ck_assert_ptr_nonnull(body);
    for (size_t i = 0; i < batch->piece_count; i++) {
        memcpy((char *)body + at, batch->pieces[i].iov_base, batch->pieces[i].iov_len);
        at += batch->pieces[i].iov_len;
    }
    return body;
}

static void send_over(const struct ArrowSchema *schema, const struct ArrowArray *array,
                      const char *codec, const char *where)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowSchema schema_out;
    struct ArrowArray out;
    struct wire_batch batch;

    _cleanup_json_ json_object *encoded = wire_schema_encode(schema, &error);
    ck_assert_msg(encoded != NULL, "%s: %s", where, error.message);
    ck_assert_msg(wire_schema_decode(encoded, &schema_out, &error) == 0, "%s: %s", where, error.message);
    ck_assert_msg(wire_batch_encode(schema, array, &batch, &error) == 0, "%s: %s", where, error.message);
    if (codec != NULL)
        ck_assert_msg(wire_batch_compress(&batch, codec, &error) == 0, "%s", where);
    _cleanup_json_ json_object *header = header_of(&batch);
    int decoded = wire_batch_decode(&schema_out, header, gather(&batch), batch.length, &out, &error);
    ck_assert_msg(decoded == 0, "%s: %s\n%s\n%s", where, error.message, json_object_to_json_string(encoded),
                  json_object_to_json_string(header));
    ck_assert_msg(arrow_digest(&schema_out, &out) == arrow_digest(schema, array), "%s\n%s\n%s", where,
                  json_object_to_json_string(encoded), json_object_to_json_string(header));
    out.release(&out);
    schema_out.release(&schema_out);
    wire_batch_clear(&batch);
}

static const char *any_codec(void)
{
    const char *codec = one_in(2) ? "lz4" : "zstd";

    return one_in(2) || !wire_has_codec(codec) ? NULL : codec;
}

static void seed_from_environment(void)
{
    const char *given = getenv("OSIRIS_TEST_SEED");

    seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("# OSIRIS_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    state = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
}

START_TEST(test_what_goes_out_comes_in)
{
    seed_from_environment();
    for (int round = 0; round < ROUNDS; round++) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct ArrowSchema schema;
        struct ArrowArray array;
        char where[80];
        snprintf(where, sizeof where, "OSIRIS_TEST_SEED=%llu, round %d", (unsigned long long)seed, round);
        make_schema(&schema, 0);
        make_array(&schema, one_in(6) ? below(2) : below(LONGEST), &array);
        ck_assert_msg(arrow_check_schema(&schema, &error) == 0, "%s: %s", where, error.message);
        ck_assert_msg(arrow_check_array(&schema, &array, &error) == 0, "%s: %s", where, error.message);
        send_over(&schema, &array, any_codec(), where);
        array.release(&array);
        schema.release(&schema);
    }
}
END_TEST

START_TEST(test_an_index_beyond_its_dictionary_is_refused)
{
    static const int8_t values[] = {0, 1, 2, 3, 0, 0, 0, -1};
    static const uint8_t nulls[] = {0x08}; /* all but the fourth are null */
    static const int32_t words[] = {0, 1, 2, 3};
    static const void *index_buffers[] = {NULL, values}, *word_buffers[] = {NULL, words, "abc"}, *top_buffers[] = {NULL};
    struct ArrowSchema word = {.format = "u", .release = free_schema}, *columns[1],
                       index = {.format = "c", .dictionary = &word, .release = free_schema},
                       schema = {.format = "+s", .n_children = 1, .children = columns, .release = free_schema};
    struct ArrowArray word_array = {.length = 3, .n_buffers = 3, .buffers = word_buffers, .release = free_array}, *children[1],
                      index_array = {.n_buffers = 2, .buffers = index_buffers, .dictionary = &word_array, .release = free_array},
                      array = {.n_buffers = 1, .buffers = top_buffers, .n_children = 1, .children = children,
                               .release = free_array};
    static const struct { int64_t offset, length; bool nulls, fits; } cases[] = {
        {0, 3, false, true}, {0, 4, false, false}, {4, 3, false, true}, {4, 4, false, false},
        {7, 1, true, true}, {0, 8, true, false}, {3, 1, true, false}, {0, 3, true, true}};

    columns[0] = &index;
    children[0] = &index_array;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ArrowArray out;
        struct wire_batch batch;
        index_buffers[0] = cases[i].nulls ? nulls : NULL;
        index_array.offset = cases[i].offset;
        index_array.null_count = cases[i].nulls ? -1 : 0;
        index_array.length = array.length = cases[i].length;
        ck_assert_int_eq(wire_batch_encode(&schema, &array, &batch, NULL), 0);
        _cleanup_json_ json_object *header = header_of(&batch);
        int decoded = wire_batch_decode(&schema, header, gather(&batch), batch.length, &out, NULL);
        ck_assert_msg((decoded == 0) == cases[i].fits, "case %zu", i);
        if (decoded == 0)
            out.release(&out);
        wire_batch_clear(&batch);
    }
}
END_TEST

UNIT_MAIN("wire-random", test_what_goes_out_comes_in, test_an_index_beyond_its_dictionary_is_refused)
