/* Frame headers, big-endian, and their rules; see frame.h. */
#include "core/wire/frame.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static_assert(FRAME_HEADER_SIZE == 2 * sizeof(uint32_t) + sizeof(uint64_t), "wire header");

void frame_encode_header(const struct frame_header *header, uint8_t bytes[FRAME_HEADER_SIZE])
{
    uint32_t message_length = htobe32(header->message_length);
    uint32_t body_length = htobe32(header->body_length);
    uint64_t sequence = htobe64(header->sequence);

    memcpy(bytes, &message_length, sizeof message_length);
    memcpy(bytes + 4, &body_length, sizeof body_length);
    memcpy(bytes + 8, &sequence, sizeof sequence);
}

void frame_decode_header(const uint8_t bytes[FRAME_HEADER_SIZE], struct frame_header *header)
{
    memcpy(&header->message_length, bytes, 4);
    memcpy(&header->body_length, bytes + 4, 4);
    memcpy(&header->sequence, bytes + 8, 8);
    header->message_length = be32toh(header->message_length);
    header->body_length = be32toh(header->body_length);
    header->sequence = be64toh(header->sequence);
}

int frame_check_header(const struct frame_header *header, uint64_t expected,
                       struct osiris_error *error)
{
    if (header->message_length == 0 || header->message_length > FRAME_MAXIMUM_MESSAGE)
        return osiris_error_set_violation(error, "a frame's message is empty or too long");
    if (header->body_length > FRAME_MAXIMUM_BODY)
        return osiris_error_set_violation(error, "a frame's body is too long");
    if (header->sequence != expected)
        return osiris_error_set_violation(error, "a frame is out of sequence");
    return 0;
}
