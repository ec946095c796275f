/* Schemas and batches on the wire (core/wire/batch.h): everything comes back as it was, from any slice, without a copy of column
 * data; and what a hostile peer says is refused before it is used. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/arrow/check.h"
#include "core/wire/body.h"
#include "core/base/json-access.h"
#include "core/wire/message.h"
#include "core/wire/batch.h"

enum { ROWS = 4000, TOP = 8 };

static void no_release_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static void no_release_array(struct ArrowArray *array)
{
    array->release = NULL;
}

/* Columns whose memory is static. */

static uint8_t validity[(ROWS + 16) / 8], bits[(ROWS + 16) / 8];
static int64_t integers[ROWS + 16], large_offsets[ROWS + 17];
static int32_t text_offsets[ROWS + 17], list_offsets[ROWS + 17], indices[ROWS + 16];
static uint8_t wide[32 * (ROWS + 16)];
static char text[8 * (ROWS + 16)];
static const char *const words = "redgreenblue";
static const int32_t word_offsets[] = {0, 3, 8, 12};

static struct ArrowSchema top_schema, schemas[16], *schema_pointers[TOP];
static struct ArrowArray arrays[16], *array_pointers[TOP];
static struct ArrowSchema *item_schema[1], *fixed_schema[1];
static struct ArrowArray *item_array[1], *fixed_array[1];
static const void *buffers[16][3];

static struct ArrowSchema field(const char *format, const char *name)
{
    return (struct ArrowSchema){.format = format, .name = name, .flags = ARROW_FLAG_NULLABLE,
                                .release = no_release_schema};
}

static struct ArrowArray column(size_t slot, int64_t length, int64_t nulls, int64_t offset,
                                int64_t count, const void *first, const void *second)
{
    buffers[slot][0] = nulls != 0 ? validity : NULL;
    buffers[slot][1] = first;
    buffers[slot][2] = second;
    return (struct ArrowArray){.length = length, .null_count = nulls, .offset = offset,
                               .n_buffers = count, .buffers = buffers[slot],
                               .release = no_release_array};
}

static void fill(void)
{
    for (int i = 0; i < ROWS + 16; i++) {
        integers[i] = (int64_t)i * 1000003 - 77;
        indices[i] = i % 3;
        if (i % 3 != 1)
            validity[i / 8] |= (uint8_t)(1u << i % 8);
        if (i % 5 < 2)
            bits[i / 8] |= (uint8_t)(1u << i % 8);
        text_offsets[i + 1] = text_offsets[i] + i % 8;
        large_offsets[i + 1] = text_offsets[i + 1];
        list_offsets[i + 1] = list_offsets[i] + (i % 4 == 0);
    }
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 7);
    for (size_t i = 0; i < sizeof wide; i++)
        wide[i] = (uint8_t)(i * 31);
}

/* A batch of every layout, its columns sliced at `offset`. */
static void make(int64_t offset, int64_t length)
{
    static const char *const formats[TOP] = {"l", "b", "u", "U", "d:50,3,256", "+l", "+w:2", "i"};
    static const char *const names[TOP] = {"id", "flag", "text", "large", "wide", "list", "pair", "word"};

    memset(validity, 0, sizeof validity);
    memset(bits, 0, sizeof bits);
    fill();
    for (int i = 0; i < TOP; i++) {
        schemas[i] = field(formats[i], names[i]);
        schema_pointers[i] = &schemas[i];
        array_pointers[i] = &arrays[i];
    }
    arrays[0] = column(0, length, -1, offset, 2, integers, NULL);
    arrays[1] = column(1, length, 0, offset, 2, bits, NULL);
    arrays[2] = column(2, length, -1, offset, 3, text_offsets, text);
    arrays[3] = column(3, length, 0, offset, 3, large_offsets, text);
    arrays[4] = column(4, length, -1, offset, 2, wide, NULL);
    arrays[5] = column(5, length, -1, offset, 2, list_offsets, NULL);
    arrays[6] = column(6, length, 0, offset, 1, NULL, NULL);
    arrays[7] = column(7, length, 0, offset, 2, indices, NULL);
    /* list<int64> */
    schemas[8] = field("l", "item");
    arrays[8] = column(8, ROWS / 4 + 4, 0, 0, 2, integers, NULL);
    item_schema[0] = &schemas[8];
    item_array[0] = &arrays[8];
    schemas[5].n_children = arrays[5].n_children = 1;
    schemas[5].children = item_schema;
    arrays[5].children = item_array;
    /* int64[2]: its child begins in the middle of its own buffer, too */
    schemas[9] = field("l", "item");
    arrays[9] = column(9, 2 * (offset + length), -1, 0, 2, integers, NULL);
    if (arrays[9].length > ROWS + 16) {
        arrays[6].length = length = ROWS / 2;
        arrays[9].length = ROWS + 16;
    }
    fixed_schema[0] = &schemas[9];
    fixed_array[0] = &arrays[9];
    schemas[6].n_children = arrays[6].n_children = 1;
    schemas[6].children = fixed_schema;
    arrays[6].children = fixed_array;
    /* words by index */
    schemas[10] = field("u", "");
    arrays[10] = column(10, 3, 0, 0, 3, word_offsets, words);
    schemas[7].dictionary = &schemas[10];
    arrays[7].dictionary = &arrays[10];
    top_schema = (struct ArrowSchema){.format = "+s", .name = "", .n_children = TOP,
                                      .children = schema_pointers, .release = no_release_schema};
}

static struct ArrowArray top(int64_t length)
{
    return (struct ArrowArray){.length = length, .n_buffers = 1, .buffers = buffers[15],
                               .n_children = TOP, .children = array_pointers,
                               .release = no_release_array};
}

/* Comparing, value by value. */

static bool bit(const void *bytes, int64_t at)
{
    return ((const uint8_t *)bytes)[at / 8] >> at % 8 & 1;
}

static bool is_valid(const struct ArrowArray *array, int64_t at)
{
    return array->buffers[0] == NULL || array->null_count == 0 || bit(array->buffers[0], array->offset + at);
}

static void expect_same(const struct ArrowSchema *schema, const struct ArrowArray *a, int64_t i,
                        const struct ArrowArray *b, int64_t j)
{
    int64_t x = a->offset + i, y = b->offset + j, from, to, other;
    const char *format = schema->format;

    ck_assert_int_eq(is_valid(a, i), is_valid(b, j));
    if (!is_valid(a, i))
        return;
    if (strcmp(format, "+s") == 0) {
        for (int64_t c = 0; c < schema->n_children; c++)
            expect_same(schema->children[c], a->children[c], x, b->children[c], y);
        return;
    }
    if (strcmp(format, "+w:2") == 0) {
        for (int64_t k = 0; k < 2; k++)
            expect_same(schema->children[0], a->children[0], 2 * x + k, b->children[0], 2 * y + k);
        return;
    }
    switch (format[0]) {
    case 'l':
        ck_assert_int_eq(((const int64_t *)a->buffers[1])[x], ((const int64_t *)b->buffers[1])[y]);
        break;
    case 'i':
        ck_assert_int_eq(((const int32_t *)a->buffers[1])[x], ((const int32_t *)b->buffers[1])[y]);
        break;
    case 'b':
        ck_assert_int_eq(bit(a->buffers[1], x), bit(b->buffers[1], y));
        break;
    case 'd':
        ck_assert_mem_eq((const char *)a->buffers[1] + 32 * x, (const char *)b->buffers[1] + 32 * y, 32);
        break;
    default: { /* u, U, +l */
        bool large = format[0] == 'U';
        from = large ? ((const int64_t *)a->buffers[1])[x] : ((const int32_t *)a->buffers[1])[x];
        to = large ? ((const int64_t *)a->buffers[1])[x + 1] : ((const int32_t *)a->buffers[1])[x + 1];
        other = large ? ((const int64_t *)b->buffers[1])[y] : ((const int32_t *)b->buffers[1])[y];
        int64_t end = large ? ((const int64_t *)b->buffers[1])[y + 1] : ((const int32_t *)b->buffers[1])[y + 1];
        ck_assert_int_eq(to - from, end - other);
        for (int64_t k = 0; format[0] == '+' && k < to - from; k++)
            expect_same(schema->children[0], a->children[0], from + k, b->children[0], other + k);
        if (format[0] != '+')
            ck_assert_int_eq(0, memcmp((const char *)a->buffers[2] + from,
                                       (const char *)b->buffers[2] + other, (size_t)(to - from)));
    }
    }
    if (schema->dictionary != NULL)
        for (int64_t k = 0; k < a->dictionary->length; k++)
            expect_same(schema->dictionary, a->dictionary, k, b->dictionary, k);
}

/* What a receiver would have: the body in one aligned block. */
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
    ck_assert_uint_eq(at, batch->length);
    return body;
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

static void round_trip(int64_t offset, int64_t length, const char *codec)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct wire_batch batch;
    struct ArrowArray out;

    make(offset, length);
    struct ArrowArray array = top(length);
    ck_assert_int_eq(arrow_check_array(&top_schema, &array, &error), 0);
    ck_assert_int_eq(wire_batch_encode(&top_schema, &array, &batch, &error), 0);
    if (codec != NULL)
        ck_assert_int_eq(wire_batch_compress(&batch, codec, &error), 0);
    json_object *header = header_of(&batch);
    int decoded = wire_batch_decode(&top_schema, header, gather(&batch), batch.length, &out, &error);
    ck_assert_msg(decoded == 0, "%s", error.message);
    ck_assert_int_eq(out.length, length);
    for (int64_t i = 0; i < length; i++)
        expect_same(&top_schema, &array, i, &out, i);
    out.release(&out);
    json_object_put(header);
    wire_batch_clear(&batch);
}

START_TEST(test_every_layout_from_any_slice)
{
    static const int64_t offsets[] = {0, 1, 7, 8, 9, 13};
    static const int64_t lengths[] = {0, 1, 2, 7, 8, 9, 64, 1000};

    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++)
            round_trip(offsets[i], lengths[j], NULL);
}
END_TEST

START_TEST(test_codecs)
{
    json_object *codecs = wire_codecs();

    for (size_t i = 0; i < json_array_count(codecs); i++) {
        round_trip(0, 1900, json_object_get_string(json_object_array_get_idx(codecs, i)));
        round_trip(5, 1000, json_object_get_string(json_object_array_get_idx(codecs, i)));
        round_trip(3, 1, json_object_get_string(json_object_array_get_idx(codecs, i)));
    }
    ck_assert(!wire_has_codec("none"));
    json_object_put(codecs);
}
END_TEST

/* The array's own memory goes out, and what comes in is used where it is. */
START_TEST(test_no_column_is_copied)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct wire_batch batch;
    struct ArrowArray out;
    bool integers_sent = false, text_sent = false;

    make(0, 1000);
    struct ArrowArray array = top(1000);
    ck_assert_int_eq(wire_batch_encode(&top_schema, &array, &batch, &error), 0);
    for (size_t i = 0; i < batch.piece_count; i++) {
        integers_sent |= batch.pieces[i].iov_base == (void *)integers && batch.pieces[i].iov_len == 8000;
        text_sent |= batch.pieces[i].iov_base == (void *)text;
    }
    ck_assert(integers_sent && text_sent);
    ck_assert_uint_eq(batch.copy_count, 0);
    json_object *header = header_of(&batch);
    char *body = gather(&batch);
    ck_assert_int_eq(wire_batch_decode(&top_schema, header, body, batch.length, &out, &error), 0);
    const char *values = out.children[0]->buffers[1], *bytes = out.children[2]->buffers[2];
    ck_assert(values >= body && values < body + batch.length && (uintptr_t)values % WIRE_ALIGNMENT == 0);
    ck_assert(bytes >= body && bytes < body + batch.length && (uintptr_t)bytes % WIRE_ALIGNMENT == 0);
    /* A column that was moved out outlives the batch. */
    struct ArrowArray moved = *out.children[0];
    out.children[0]->release = NULL;
    out.release(&out);
    ck_assert_int_eq(((const int64_t *)moved.buffers[1])[999], integers[999]);
    moved.release(&moved);
    json_object_put(header);
    wire_batch_clear(&batch);
}
END_TEST

/* Hostile headers. Whatever is said of nodes and buffers, a batch is refused, or it is one that can be read. */

static size_t refused, taken;

static void offer(json_object *header, const struct wire_batch *batch, size_t shorter)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowArray out;
    void *body = gather(batch);

    if (wire_batch_decode(&top_schema, header, body, batch->length - shorter, &out, &error) < 0) {
        ck_assert_ptr_nonnull(error.message);
        ck_assert_ptr_null(out.release);
        refused++;
    } else {
        ck_assert_int_eq(arrow_check_array(&top_schema, &out, NULL), 0);
        out.release(&out);
        taken++;
    }
    osiris_error_clear(&error);
}

static void mutate(const char *list_name, const char *codec)
{
    static const int64_t values[] = {-2, -1, 0, 1, 3, 64, 1000, 1001, 4096, INT32_MAX, (int64_t)1 << 40, INT64_MAX};
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct wire_batch batch;

    make(3, 1000);
    struct ArrowArray array = top(1000);
    ck_assert_int_eq(wire_batch_encode(&top_schema, &array, &batch, &error), 0);
    if (codec != NULL)
        ck_assert_int_eq(wire_batch_compress(&batch, codec, &error), 0);
    json_object *header = header_of(&batch);
    json_object *list = json_member(header, list_name);
    for (size_t i = 0; i < json_array_count(list); i++) {
        int64_t before = json_object_get_int64(json_object_array_get_idx(list, i));
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            json_object_array_put_idx(list, i, json_object_new_int64(values[j]));
            offer(header, &batch, 0);
        }
        json_object_array_put_idx(list, i, json_object_new_string("1"));
        offer(header, &batch, 0);
        json_object_array_put_idx(list, i, json_object_new_int64(before));
    }
    /* The lists too short or too long, the body too short. */
    size_t before = refused;
    offer(header, &batch, 1);
    offer(header, &batch, batch.length / 2);
    json_object_array_add(list, json_object_new_int64(0));
    offer(header, &batch, 0);
    json_object_array_del_idx(list, json_array_count(list) - 2, 2);
    offer(header, &batch, 0);
    json_object_object_del(header, list_name);
    offer(header, &batch, 0);
    ck_assert_uint_eq(refused - before, 5);
    json_object_put(header);
    wire_batch_clear(&batch);
}

START_TEST(test_hostile_headers)
{
    mutate("nodes", NULL);
    mutate("buffers", NULL);
    if (wire_has_codec("lz4"))
        mutate("buffers", "lz4");
    if (wire_has_codec("zstd"))
        mutate("buffers", "zstd");
    ck_assert_uint_gt(refused, 500);
    ck_assert_uint_gt(taken, 0); /* an offset that is another one, for instance */
}
END_TEST

START_TEST(test_hostile_bodies)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct wire_batch batch;
    struct ArrowArray out;
    unsigned state = 1;

    for (int round = 0; round < 400; round++) {
        make(1, 300);
        struct ArrowArray array = top(300);
        const char *codec = round % 3 == 1 ? "lz4" : round % 3 == 2 ? "zstd" : NULL;
        ck_assert_int_eq(wire_batch_encode(&top_schema, &array, &batch, &error), 0);
        if (codec != NULL && wire_has_codec(codec))
            ck_assert_int_eq(wire_batch_compress(&batch, codec, &error), 0);
        json_object *header = header_of(&batch);
        uint8_t *body = gather(&batch);
        for (int i = 0; i < 20; i++) {
            state = state * 1103515245 + 12345;
            body[(state >> 8) % batch.length] = (uint8_t)(state >> 16);
        }
        if (wire_batch_decode(&top_schema, header, body, batch.length, &out, NULL) == 0) {
            ck_assert_int_eq(arrow_check_array(&top_schema, &out, NULL), 0);
            out.release(&out);
        }
        json_object_put(header);
        wire_batch_clear(&batch);
    }
}
END_TEST

START_TEST(test_schemas)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowSchema out;
    struct { int32_t count, key_length; char key[3]; char value_length[4]; char value[2]; } __attribute__((packed))
    metadata = {1, 3, {'k', 'e', 'y'}, {2, 0, 0, 0}, {'v', 0}};

    make(0, 1);
    schemas[2].metadata = (const char *)&metadata;
    schemas[1].flags = 0;
    json_object *object = wire_schema_encode(&top_schema, &error);
    ck_assert_ptr_nonnull(object);
    ck_assert_int_eq(wire_schema_decode(object, &out, &error), 0);
    ck_assert_int_eq(out.n_children, TOP);
    for (int i = 0; i < TOP; i++) {
        ck_assert_str_eq(out.children[i]->format, schemas[i].format);
        ck_assert_str_eq(out.children[i]->name, schemas[i].name);
        ck_assert_int_eq(out.children[i]->flags, schemas[i].flags);
    }
    ck_assert_mem_eq(out.children[2]->metadata, &metadata, sizeof metadata);
    ck_assert_str_eq(out.children[7]->dictionary->format, "u");
    ck_assert_str_eq(out.children[5]->children[0]->name, "item");
    out.release(&out);
    json_object_put(object);
}
END_TEST

START_TEST(test_hostile_schemas)
{
    static const char *const texts[] = {
        "null", "[]", "{}", "{\"format\": 1}", "{\"format\": \"\"}", "{\"format\": \"l\"}",
        "{\"format\": \"+s\", \"children\": {}}", "{\"format\": \"+s\", \"children\": [1]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"?\"}]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"+l\"}]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"+w:99999999999\", \"children\": [{\"format\": \"l\"}]}]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"l\", \"metadata\": \"0\"}]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"l\", \"metadata\": \"zz\"}]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"l\", \"metadata\": \"ffffff7f\"}]}",
        "{\"format\": \"+s\", \"children\": [{\"format\": \"l\", \"metadata\": \"01000000ffffff7f\"}]}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct osiris_error error = OSIRIS_ERROR_INIT;
        struct ArrowSchema out;
        json_object *object = json_tokener_parse(texts[i]);
        ck_assert_msg(wire_schema_decode(object, &out, &error) < 0, "%s", texts[i]);
        ck_assert_ptr_nonnull(error.message);
        osiris_error_clear(&error);
        json_object_put(object);
    }
}
END_TEST

UNIT_MAIN("wire-batch", test_every_layout_from_any_slice, test_codecs, test_no_column_is_copied,
          test_hostile_headers, test_hostile_bodies, test_schemas, test_hostile_schemas)
