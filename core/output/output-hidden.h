/* Hidden files beside an output's target. Private to the files of output.h. */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_HIDDEN_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_HIDDEN_H

#include "core/output/output.h"

/* Opens the file to write to: an unnamed one where the file system supports it and `named` is not set. -1 with errno. */
int output_open_temporary(struct output *output, mode_t mode, bool named);
/* Gives an unnamed file its hidden name. */
int output_name_unnamed(struct output *output, struct osiris_error *error);

#endif
