/*
 * Frames of the protocol (docs/protocol.md): a header of 16 bytes, then a message, then a body. This encodes, decodes
 * and checks headers. No I/O, no msgpack.
 */
#ifndef OSIRIS_CORE_WIRE_FRAME_H
#define OSIRIS_CORE_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define FRAME_HEADER_SIZE 16
#define FRAME_MAXIMUM_MESSAGE (16u << 20)
#define FRAME_MAXIMUM_BODY (1u << 20)

struct frame_header {
    uint32_t message_length; /* 1 … FRAME_MAXIMUM_MESSAGE */
    uint32_t body_length;    /* 0 … FRAME_MAXIMUM_BODY */
    uint64_t sequence;       /* 1, 2, 3, … on each side; 0: only in `resume` */
};

void frame_encode_header(const struct frame_header *header, uint8_t bytes[FRAME_HEADER_SIZE]);
void frame_decode_header(const uint8_t bytes[FRAME_HEADER_SIZE], struct frame_header *header);
/* Checks that the lengths are within bounds and the number is `expected`; else -1 with the error set. */
int frame_check_header(const struct frame_header *header, uint64_t expected,
                       struct osiris_error *error);

#endif
