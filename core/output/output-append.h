/* Outputs that begin with a copy of the existing file. Private to the files of output.h. */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_APPEND_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_APPEND_H

#include "core/output/output.h"

/* Copies the existing file to the start of the output. */
int output_copy_original(struct output *output, struct osiris_error *error);
/* Checks that the existing file has not changed since. */
int output_check_original(struct output *output, struct osiris_error *error);

#endif
