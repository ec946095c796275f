/*
 * Which step of a run writes which file. No two steps may write the same file, even if the first has already published it: its
 * rows would be lost. Several processes write the outputs of one machine (workers, and osiris for places that do not have its files), so
 * claims are symbolic links in a folder beside their temporary ones: one for each file, whose name says which file it is and whose
 * target is the id of the step that writes it.
 */
#ifndef OSIRIS_CORE_OUTPUT_CLAIMS_H
#define OSIRIS_CORE_OUTPUT_CLAIMS_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/output/output.h"

/* Where the run's claims are: beside the temporary folders of the processes that write. */
struct claims {
    const char *temp_root, *run_id;
};

/* Notes that the step writes the output's file, whose `identity` (output_identity) is not "". -1: another step does. What counts is
 * the file, not its path. */
int claims_take(const struct claims *claims, const struct output *output, const char *identity, const char *step_id,
                struct osiris_error *error);
/* The file was not published. */
void claims_drop(const struct claims *claims, const char *identity);
/* Forgets what the steps have written of which `is_mine` is true (NULL: all). */
void claims_remove(const struct claims *claims, bool (*is_mine)(const void *context, const char *step_id), const void *context);

#endif
