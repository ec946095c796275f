/* Any bytes as a message: refused with an error, or a value that is encoded and decoded to itself. */
#include "fuzz.h"

#include "core/wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *message = message_decode(data, size, &error);

    FUZZ_CHECK((message == NULL) == (error.category != 0));
    if (message == NULL)
        return 0;
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(64u << 20);
    FUZZ_CHECK(message_encode(message, &encoded, &error) == 0);
    _cleanup_json_ json_object *again =
        message_decode((const uint8_t *)encoded.data, encoded.length, &error);
    FUZZ_CHECK(again != NULL && json_object_equal(message, again));
    return 0;
}
