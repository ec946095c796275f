/*
 * Frames of the protocol (docs/protocol.md): a header of 16 bytes, then a message, then a body. Encoding
 * a header, and an incremental decoder over received bytes. No I/O, no msgpack.
 */
#ifndef OSIRIS_CORE_FRAME_H
#define OSIRIS_CORE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define FRAME_HEADER_SIZE 16
#define FRAME_MAXIMUM_MESSAGE (16u << 20)

struct frame_header {
    uint32_t message_length; /* 1 … FRAME_MAXIMUM_MESSAGE */
    uint32_t body_length;    /* 0 in this version */
    uint64_t sequence;       /* 1, 2, 3, … on each side */
};

void frame_encode_header(const struct frame_header *header, uint8_t bytes[FRAME_HEADER_SIZE]);
void frame_decode_header(const uint8_t bytes[FRAME_HEADER_SIZE], struct frame_header *header);

enum frame_result { FRAME_OK, FRAME_AGAIN, FRAME_VIOLATION };

/* Looks for one whole frame at the beginning of `bytes`. FRAME_OK: *message points into bytes, *consumed says how
 * many bytes the frame takes, and *sequence (the last number seen) has gone up. FRAME_AGAIN: more
 * bytes are needed, *consumed says how many the frame takes in all (as far as is known). FRAME_VIOLATION: the error
 * is set. A header is judged as soon as it is there. */
enum frame_result frame_next(const uint8_t *bytes, size_t length, uint64_t *sequence,
                             const uint8_t **message, size_t *message_length, size_t *consumed,
                             struct osiris_error *error);

#endif
