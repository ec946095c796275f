/* Files that steps read. */
#ifndef OSIRIS_CORE_OUTPUT_INPUT_H
#define OSIRIS_CORE_OUTPUT_INPUT_H

#include "core/base/error.h"
#include "core/output/output.h"

/* A descriptor of the file to read, or -1 with the error set. `waits` false: neither opening it nor reading it (EAGAIN) waits for a
 * writer, which a pipe may not have yet. */
int input_open(const struct output_origin *origin, const char *path, bool waits, struct osiris_error *error);

#endif
