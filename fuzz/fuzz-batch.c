/*
 * Any bytes as a schema, a batch's header and its body: refused with an error, or an array of which every value can be
 * read, and that goes over the wire once more as it is. The input is three parts, of which the first two begin with
 * their length in two bytes: schema and header as messages' data (msgpack), and the body.
 */
#include "fuzz.h"

#include <string.h>

#include "arrow-digest.h"
#include "core/arrow/check.h"
#include "core/wire/body.h"
#include "core/base/json-access.h"
#include "core/wire/message.h"
#include "core/wire/batch.h"

#define MOST_VALUES 100000

/* The next part as a message; NULL if it is none. */
static json_object *take_message(const uint8_t **data, size_t *size)
{
    if (*size < 2)
        return NULL;
    size_t length = (size_t)(*data)[0] << 8 | (*data)[1];
    if (length > *size - 2)
        length = *size - 2;
    json_object *message = message_decode(*data + 2, length, NULL);
    *data += 2 + length;
    *size -= 2 + length;
    return message;
}

/* What a receiver would have. */
static void *gather(const struct wire_batch *batch)
{
    uint8_t *body = batch->length == 0 ? NULL : body_new(NULL, batch->length);
    size_t at = 0;

    FUZZ_CHECK(batch->length == 0 || body != NULL);
    for (size_t i = 0; i < batch->piece_count; i++) {
        memcpy(body + at, batch->pieces[i].iov_base, batch->pieces[i].iov_len);
        at += batch->pieces[i].iov_len;
    }
    return body;
}

/* What a reader gets of the message. */
static json_object *header_of(const struct wire_batch *batch)
{
    _cleanup_buffer_ struct buffer bytes = BUFFER_INIT(1 << 20);

    FUZZ_CHECK(wire_batch_write(batch, 1, &bytes, NULL) == 0);
    _cleanup_json_ json_object *message =
        message_decode((const uint8_t *)bytes.data, bytes.length, NULL);
    return json_object_get(json_member(message, "data"));
}

static void send_again(const struct ArrowSchema *schema, const struct ArrowArray *array,
                       uint64_t digest)
{
    static const char *const codecs[] = {NULL, "lz4", "zstd"};
    const char *codec = codecs[digest % 3];
    struct wire_batch batch;
    struct ArrowArray again;

    FUZZ_CHECK(wire_batch_encode(schema, array, &batch, NULL) == 0);
    if (codec != NULL && wire_has_codec(codec))
        FUZZ_CHECK(wire_batch_compress(&batch, codec, NULL) == 0);
    _cleanup_json_ json_object *header = header_of(&batch);
    FUZZ_CHECK(wire_batch_decode(schema, header, gather(&batch), batch.length, &again, NULL) == 0);
    FUZZ_CHECK(arrow_digest_some(schema, &again, MOST_VALUES) == digest);
    again.release(&again);
    wire_batch_clear(&batch);
}

static void decode_batch(const struct ArrowSchema *schema, json_object *header,
                         const uint8_t *data, size_t size)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowArray array;
    void *body = size == 0 ? NULL : body_new(NULL, size);

    FUZZ_CHECK(size == 0 || body != NULL);
    if (size > 0)
        memcpy(body, data, size);
    int result = wire_batch_decode(schema, header, body, size, &array, &error);
    FUZZ_CHECK((result < 0) == (error.category != 0) && (result < 0) == (array.release == NULL));
    if (result < 0)
        return;
    FUZZ_CHECK(arrow_check_array(schema, &array, NULL) == 0);
    send_again(schema, &array, arrow_digest_some(schema, &array, MOST_VALUES));
    array.release(&array);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *described = take_message(&data, &size);
    _cleanup_json_ json_object *header = take_message(&data, &size);
    struct ArrowSchema schema;
    int result = wire_schema_decode(described, &schema, &error);

    FUZZ_CHECK((result < 0) == (error.category != 0));
    if (result < 0)
        return 0;
    _cleanup_json_ json_object *again = wire_schema_encode(&schema, NULL);
    FUZZ_CHECK(again != NULL);
    decode_batch(&schema, header, data, size);
    schema.release(&schema);
    return 0;
}
