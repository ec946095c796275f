/*
 * Which step of the run writes which file: one step's file is not another's, also when the first is published already,
 * for what it wrote would be lost. Steps of one machine may have several workers, so claims are symbolic links in a folder beside
 * their temporary ones: one for each file, whose name says which file it is and whose target is the id of the step that writes it.
 */
#ifndef OSIRIS_WORKER_CLAIMS_H
#define OSIRIS_WORKER_CLAIMS_H

#include "worker/files.h"

struct run;

/* Before the file is one of the step's: notes that the step writes it. -1: another one does, or the step does already; it is a
 * matter of the file, not of its path. */
int claims_take(const struct step *step, struct step_output_file *file, struct osiris_error *error);
/* The file was not published. */
void claims_drop(const struct run *run, const struct step_output_file *file);
/* The run is over: forgets what this worker's steps have written. */
void claims_remove_all(const struct run *run);

#endif
