/* Any bytes as a run of frames: what is found lies inside them, and does not depend on how they arrive. */
#include "fuzz.h"

#include "core/wire/frame.h"

/* No part of a whole frame is taken for one, nor does it touch the sequence. */
static void check_parts(const uint8_t *data, size_t whole, uint64_t sequence)
{
    for (size_t part = 0; part < whole; part += part < 2 * FRAME_HEADER_SIZE ? 1 : 97) {
        struct frame frame;
        size_t wanted = 0;
        uint64_t seen = sequence;
        FUZZ_CHECK(frame_next(data, part, &seen, &frame, &wanted, NULL) == FRAME_AGAIN);
        FUZZ_CHECK(seen == sequence && wanted > part && wanted <= whole);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sequence = 0;
    size_t at = 0;

    for (;;) {
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        struct frame frame = {0};
        size_t consumed = 0;
        uint64_t before = sequence;
        enum frame_result result =
            frame_next(data + at, size - at, &sequence, &frame, &consumed, &error);
        FUZZ_CHECK((result == FRAME_VIOLATION) == (error.category != 0));
        FUZZ_CHECK(sequence == before + (result == FRAME_OK));
        if (result != FRAME_OK)
            return 0;
        FUZZ_CHECK(frame.message_length > 0 && consumed <= size - at &&
                   consumed == FRAME_HEADER_SIZE + frame.message_length + frame.body_length);
        FUZZ_CHECK(frame.message == data + at + FRAME_HEADER_SIZE);
        FUZZ_CHECK(frame.body == frame.message + frame.message_length);
        check_parts(data + at, consumed, before);
        at += consumed;
    }
}
