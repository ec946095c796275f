/*
 * Which step of the run writes which file. No two steps may write the same file, even if the first has already published it: its
 * rows would be lost. Steps of one machine may have several workers, so claims are symbolic links in a folder beside
 * their temporary ones: one for each file, whose name says which file it is and whose target is the id of the step that writes it.
 */
#ifndef OSIRIS_WORKER_CLAIMS_H
#define OSIRIS_WORKER_CLAIMS_H

#include "worker/files.h"

struct run;

/* Before the file is added to the step's: notes that the step writes it. -1: another step does, or this one does already. What counts
 * is the file, not its path. */
int claims_take(const struct step *step, struct step_output_file *file, struct osiris_error *error);
/* The file was not published. */
void claims_drop(const struct run *run, const struct step_output_file *file);
/* The run is over: forgets what this worker's steps have written. */
void claims_remove_all(const struct run *run);

#endif
