/* msgpack messages of the protocol (core/wire/message.h) and frames (core/wire/frame.h): vectors, and everything that
 * is refused. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/wire/frame.h"
#include "core/wire/message.h"

#define DIGITS_60 "012345678901234567890123456789012345678901234567890123456789"

static const struct vector {
    const char *json;
    const char *bytes;
    size_t length;
} vectors[] = {
    {"{}", "\x80", 1},
    {"{\"a\":1}", "\x81\xa1"
                  "a\x01",
     4},
    {"{\"a\":-1,\"b\":null,\"c\":true,\"d\":false}", "\x84\xa1"
                                                     "a\xff\xa1"
                                                     "b\xc0\xa1"
                                                     "c\xc3\xa1"
                                                     "d\xc2",
     13},
    /* A key of 63 bytes and one of 64. */
    {"{\"" DIGITS_60 "abc\":1,\"" DIGITS_60 "abcd\":2}", "\x82\xd9\x3f" DIGITS_60 "abc\x01\xd9\x40" DIGITS_60 "abcd\x02", 134},
    {"{\"a\":1.5}", "\x81\xa1"
                    "a\xcb\x3f\xf8\0\0\0\0\0\0",
     12},
    {"{\"a\":[1,\"xyz\",{}]}", "\x81\xa1"
                                "a\x93\x01\xa3xyz\x80",
     10},
    {"{\"a\":9223372036854775807}", "\x81\xa1"
                                      "a\xcf\x7f\xff\xff\xff\xff\xff\xff\xff",
     12},
    {"{\"a\":18446744073709551615}", "\x81\xa1"
                                       "a\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
     12},
    {"{\"a\":-9223372036854775808}", "\x81\xa1"
                                       "a\xd3\x80\0\0\0\0\0\0\0",
     12},
};
#define VECTOR_COUNT (sizeof vectors / sizeof vectors[0])

START_TEST(test_vectors_both_ways)
{
    const struct vector *vector = &vectors[_i];
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(1000);
    _cleanup_json_ json_object *decoded =
        message_decode((const uint8_t *)vector->bytes, vector->length, &error);

    ck_assert_msg(decoded != NULL, "%s: %s", vector->json, error.message);
    ck_assert_str_eq(json_object_to_json_string_ext(decoded, JSON_C_TO_STRING_PLAIN), vector->json);
    ck_assert_int_eq(message_encode(decoded, &encoded, &error), 0);
    ck_assert_uint_eq(encoded.length, vector->length);
    ck_assert_mem_eq(encoded.data, vector->bytes, vector->length);
}
END_TEST

static void refused(const void *bytes, size_t length, const char *why)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    /* Exactly as long as it is, so that a sanitizer sees any step beyond. */
    uint8_t *copy = malloc(length == 0 ? 1 : length);

    memcpy(copy, bytes, length);
    json_object *decoded = message_decode(copy, length, &error);
    free(copy);
    ck_assert_msg(decoded == NULL, "%s was accepted", why);
    ck_assert_int_eq(error.category, OSIRIS_ERROR_INTERNAL);
}

START_TEST(test_every_truncation_is_refused)
{
    static const char whole[] = "\x84\xa1"
                                "a\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xa1"
                                "b\xda\0\x02xy\xa1"
                                "c\xdc\0\x01\xcb\x3f\xf8\0\0\0\0\0\0\xa1"
                                "d\xde\0\x01\xa1x\xc0";
    _cleanup_json_ json_object *decoded =
        message_decode((const uint8_t *)whole, sizeof whole - 1, NULL);

    ck_assert_ptr_nonnull(decoded);
    for (size_t length = 0; length < sizeof whole - 1; length++)
        refused(whole, length, "a truncated message");
}
END_TEST

START_TEST(test_hostile_messages_are_refused)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *why;
    } hostile[] = {
        {"\x01", 1, "an integer"},
        {"\xc0", 1, "nil"},
        {"\x90", 1, "an array"},
        {"\x80\x80", 2, "two messages"},
        {"\xdf\xff\xff\xff\xff", 5, "a map of four billion pairs"},
        {"\x81\xa1"
         "a\xdd\xff\xff\xff\xff",
         8, "an array of four billion values"},
        {"\x81\xa1"
         "a\xdb\xff\xff\xff\xff",
         8, "a string of four gigabytes"},
        {"\x81\x01\x01", 3, "a key that is an integer"},
        {"\x82\xa1"
         "a\x01\xa1"
         "a\x02",
         7, "a duplicate key"},
        {"\x82\xd9\x40" DIGITS_60 "abcd\x01\xd9\x40" DIGITS_60 "abcd\x02", 135, "a long duplicate key"},
        {"\x81\xa1\0\x01", 4, "a key with a NUL byte"},
        {"\x81\xa1"
         "a\xa1\0",
         5, "a string with a NUL byte"},
        {"\x81\xa1"
         "a\xa2\xc0\x80",
         6, "an overlong encoding"},
        {"\x81\xa1"
         "a\xa3\xed\xa0\x80",
         7, "a surrogate"},
        {"\x81\xa1"
         "a\xa1\xff",
         5, "a stray byte"},
        {"\x81\xa1"
         "a\xc4\x01x",
         6, "bin"},
        {"\x81\xa1"
         "a\xd4\x01x",
         6, "ext"},
        {"\x81\xa1"
         "a\xc1",
         4, "the type that does not exist"},
        {"\x81\xa1"
         "a\xcb\x7f\xf8\0\0\0\0\0\0",
         12, "NaN"},
        {"\x81\xa1"
         "a\xca\x7f\x80\0\0",
         8, "infinity"},
    };

    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        refused(hostile[i].bytes, hostile[i].length, hostile[i].why);
}
END_TEST

START_TEST(test_depth_is_bounded_both_ways)
{
    char bytes[3 * (MESSAGE_MAXIMUM_DEPTH + 2)];
    size_t length = 0;
    json_object *nested = json_object_new_object();
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(100000);

    for (int i = 0; i < MESSAGE_MAXIMUM_DEPTH - 1; i++) {
        memcpy(bytes + length, "\x81\xa1x", 3);
        length += 3;
    }
    bytes[length] = '\x80';
    json_object *deepest = message_decode((uint8_t *)bytes, length + 1, NULL);
    ck_assert_ptr_nonnull(deepest);
    json_object_put(deepest);
    memcpy(bytes + length, "\x81\xa1x\x80", 4);
    refused(bytes, length + 4, "a nesting of one too many");
    for (int i = 0; i < MESSAGE_MAXIMUM_DEPTH; i++) {
        json_object *outer = json_object_new_object();
        json_object_object_add(outer, "x", nested);
        nested = outer;
    }
    ck_assert_int_eq(message_encode(nested, &encoded, &error), -1);
    json_object_put(nested);
}
END_TEST

/* {"x": [v, v, …]}, `count` times the one byte `v`. */
static json_object *decode_many(uint8_t v, uint32_t count)
{
    size_t length = 8 + (size_t)count;
    uint8_t *bytes = malloc(length);

    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, "\x81\xa1x\xdd", 4);
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (uint8_t)(count >> (24 - 8 * i));
    memset(bytes + 8, v, count);
    json_object *message = message_decode(bytes, length, NULL);
    free(bytes);
    return message;
}

START_TEST(test_values_are_counted_as_they_weigh)
{
    static const struct {
        uint8_t v;
        unsigned weight;
    } kinds[] = {{0x00, 1}, {0x90, MESSAGE_ARRAY_WEIGHT}, {0x80, MESSAGE_MAP_WEIGHT}};
    const unsigned around = MESSAGE_MAP_WEIGHT + MESSAGE_KEY_WEIGHT + MESSAGE_ARRAY_WEIGHT;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint32_t most = (MESSAGE_MAXIMUM_WEIGHT - around) / kinds[i].weight;
        json_object *message = decode_many(kinds[i].v, most);
        ck_assert_msg(message != NULL, "%x", kinds[i].v);
        json_object_put(message);
        ck_assert_msg(decode_many(kinds[i].v, most + 1) == NULL, "%x", kinds[i].v);
    }
}
END_TEST

START_TEST(test_random_bytes_are_never_a_crash)
{
    unsigned seed = 12345;
    uint8_t bytes[64];

    for (int round = 0; round < 200000; round++) {
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)rand_r(&seed);
        if (length > 0)
            bytes[0] = (uint8_t)(0x80 | (bytes[0] & 0x0f));
        json_object_put(message_decode(bytes, length, NULL));
    }
}
END_TEST

START_TEST(test_a_message_beyond_its_bound_is_not_sent)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    _cleanup_buffer_ struct buffer small = BUFFER_INIT(20);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    json_object_object_add(message, "text", json_object_new_string("much more than twenty bytes"));
    ck_assert_int_eq(message_encode(message, &small, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "too long"));
}
END_TEST

/* What drivers say may be of any encoding: it must not cost the channel. */
START_TEST(test_unclean_texts_pass_with_question_marks)
{
    static const struct {
        const char *text;
        size_t length;
        const char *passed;
    } texts[] = {
        {"caf\xe9", 4, "caf?"},
        {"\xff\xfe", 2, "??"},
        {"a\0b", 3, "a?b"},
        {"\xc5\xbe\xc5", 3, "\xc5\xbe?"},
        {"\xed\xa0\x80", 3, "???"},
        {"\xf0\x9f\x98\x80\x80", 5, "\xf0\x9f\x98\x80?"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        _cleanup_json_ json_object *message = json_object_new_object();
        _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(1000);
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        json_object *text;
        json_object_object_add(message, "text",
                               json_object_new_string_len(texts[i].text, (int)texts[i].length));
        ck_assert_int_eq(message_encode(message, &encoded, &error), 0);
        _cleanup_json_ json_object *decoded =
            message_decode((const uint8_t *)encoded.data, encoded.length, &error);
        ck_assert_msg(decoded != NULL, "case %zu: %s", i, error.message);
        ck_assert(json_object_object_get_ex(decoded, "text", &text));
        ck_assert_str_eq(json_object_get_string(text), texts[i].passed);
    }
}
END_TEST

/* A random value of any kind, some levels deep. */
static json_object *random_value(unsigned *seed, unsigned depth)
{
    static const char *const words[] = {"", "a", "žluťoučký", "日本", "with \"quotes\" and \n",
                                        "longer than the thirty-one bytes of a short string"};
    json_object *value;

    switch (rand_r(seed) % (depth < 5 ? 8 : 6)) {
    case 0:
        return NULL;
    case 1:
        return json_object_new_boolean(rand_r(seed) % 2);
    case 2:
        return json_object_new_int64((int64_t)((uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed) << 7) >>
                                     rand_r(seed) % 64);
    case 3:
        return json_object_new_uint64(UINT64_MAX - (uint64_t)rand_r(seed));
    case 4:
        return json_object_new_double((double)rand_r(seed) / (1 + rand_r(seed) % 1000));
    case 5:
        return json_object_new_string(words[(size_t)rand_r(seed) % 6]);
    case 6:
        value = json_object_new_array();
        for (int count = rand_r(seed) % 20; count > 0; count--)
            json_object_array_add(value, random_value(seed, depth + 1));
        return value;
    default:
        value = json_object_new_object();
        for (int count = rand_r(seed) % 20; count > 0; count--) {
            char key[16];
            snprintf(key, sizeof key, "k%d", rand_r(seed) % 1000);
            json_object_object_add(value, key, random_value(seed, depth + 1));
        }
        return value;
    }
}

START_TEST(test_random_values_there_and_back)
{
    unsigned seed = 4711;

    for (int round = 0; round < 300; round++) {
        _cleanup_json_ json_object *message = json_object_new_object();
        _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(16 << 20);
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        json_object_object_add(message, "value", random_value(&seed, 0));
        ck_assert_int_eq(message_encode(message, &encoded, &error), 0);
        _cleanup_json_ json_object *decoded =
            message_decode((const uint8_t *)encoded.data, encoded.length, &error);
        ck_assert_msg(decoded != NULL, "%s", error.message);
        ck_assert_msg(json_object_equal(message, decoded), "%s", json_object_to_json_string(message));
        /* One form for one value. */
        _cleanup_buffer_ struct buffer again = BUFFER_INIT(16 << 20);
        ck_assert_int_eq(message_encode(decoded, &again, &error), 0);
        ck_assert_uint_eq(again.length, encoded.length);
        ck_assert_mem_eq(again.data, encoded.data, encoded.length);
    }
}
END_TEST

/* Frames. */

START_TEST(test_frame_header)
{
    static const char bytes[] = "\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0\x02";
    const struct frame_header header = {.message_length = 1, .body_length = 3, .sequence = 2};
    struct frame_header again;
    uint8_t encoded[FRAME_HEADER_SIZE];

    frame_encode_header(&header, encoded);
    ck_assert_mem_eq(encoded, bytes, sizeof encoded);
    frame_decode_header(encoded, &again);
    ck_assert_uint_eq(again.message_length, 1);
    ck_assert_uint_eq(again.body_length, 3);
    ck_assert_uint_eq(again.sequence, 2);
    ck_assert_int_eq(frame_check_header(&again, 2, NULL), 0);
    ck_assert_int_lt(frame_check_header(&again, 3, NULL), 0);
}
END_TEST

START_TEST(test_frame_violations)
{
    static const char *const bad[] = {
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",    /* an empty message */
        "\x01\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01", /* a byte more than 16 MiB */
        "\0\0\0\x01\0\x10\0\x01\0\0\0\0\0\0\0\x01", /* a body of a byte more than 1 MiB */
        "\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x02",   /* number two comes first */
        "\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0",     /* number zero */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct frame_header header;
        frame_decode_header((const uint8_t *)bad[i], &header);
        ck_assert_int_lt(frame_check_header(&header, 1, &error), 0);
        ck_assert(error.violation);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *tcase = tcase_create("message");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_vectors_both_ways, 0, (int)VECTOR_COUNT);
    tcase_add_test(tcase, test_every_truncation_is_refused);
    tcase_add_test(tcase, test_hostile_messages_are_refused);
    tcase_add_test(tcase, test_depth_is_bounded_both_ways);
    tcase_add_test(tcase, test_values_are_counted_as_they_weigh);
    tcase_add_test(tcase, test_random_bytes_are_never_a_crash);
    tcase_add_test(tcase, test_a_message_beyond_its_bound_is_not_sent);
    tcase_add_test(tcase, test_unclean_texts_pass_with_question_marks);
    tcase_add_test(tcase, test_random_values_there_and_back);
    tcase_add_test(tcase, test_frame_header);
    tcase_add_test(tcase, test_frame_violations);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
