/* Reads a descriptor to its end into a bounded buffer, with a deadline. */
#ifndef OSIRIS_CORE_BASE_READ_TO_END_H
#define OSIRIS_CORE_BASE_READ_TO_END_H

#include <stdint.h>

#include "core/base/buffer.h"

#define READ_NO_DEADLINE INT64_MAX

enum read_result {
    READ_WHOLE,  /* the buffer has data, an empty one, too */
    READ_LATE,   /* the deadline came before the end */
    READ_FAILED, /* errno says why: ENOMEM if the buffer has failed, because it is full or out of memory */
};

/* `deadline_ms` is a time of clock_monotonic_ms. Whatever the result, what arrived is in the buffer, terminated. */
enum read_result read_to_end(int fd, int64_t deadline_ms, struct buffer *into);

#endif
