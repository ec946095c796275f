/*
 * What a worker that is killed leaves: hidden files of outputs (output.h), in folders that nobody else knows. The worker keeps a
 * list of these folders in its own temporary folder, which osiris reads when the worker is gone.
 */
#ifndef OSIRIS_CORE_LITTER_H
#define OSIRIS_CORE_LITTER_H

/* [worker] Notes the folder in the list in temp_dir, which is made if it is missing. What cannot be noted may be left. */
void litter_note(const char *temp_dir, int folder);

/* [osiris] `temp_root` is what the workers' temporary folders are in. Removes the run's hidden files from all folders noted there. */
void litter_remove(const char *temp_root, const char *run_id);

#endif
