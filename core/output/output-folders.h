/* The folder of an output's target. Private to the files of output.h. */
#ifndef OSIRIS_CORE_OUTPUT_OUTPUT_FOLDERS_H
#define OSIRIS_CORE_OUTPUT_OUTPUT_FOLDERS_H

#include "core/output/output.h"

/* Opens it. If it is missing and `create` is set, creates it; created folders are removed again while they are empty. */
int output_open_folder(struct output *output, bool create, struct osiris_error *error);
/* The output was not published, or it was. */
void output_remove_made_folders(struct output *output);
void output_keep_made_folders(struct output *output);
/* Sets the new file's mode to `mode` less the origin's umask. */
void output_mask_file(const struct output *output, mode_t mode);

#endif
