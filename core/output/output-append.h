/* Outputs that begin with a copy of the file that is there. Private to the files of output.h. */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_APPEND_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_APPEND_H

#include "core/output/output.h"

/* Begins the output with the file that is there. */
int output_copy_original(struct output *output, struct osiris_error *error);
/* Whether that is there still, as it was. */
int output_check_original(struct output *output, struct osiris_error *error);

#endif
