/*
 * What a killed worker leaves: hidden files of outputs (core/output/output.h) and folders that were created for them, anywhere. The worker
 * keeps a list of these in its own temporary folder, which osiris reads when the worker has gone: the osiris of the run, or, if that was
 * killed, too, the one of the next run. A running worker holds the lock of its folder.
 */
#ifndef OSIRIS_CORE_OUTPUT_LITTER_H
#define OSIRIS_CORE_OUTPUT_LITTER_H

#include <stdbool.h>

/* [worker] Creates its temporary folder and locks it for as long as the descriptor is open. -1: not possible. */
int litter_lock(const char *temp_dir);

/* [worker, any thread] Adds a folder with hidden files, or one that was created, to the list in temp_dir, which is created if it is
 * missing. What cannot be added may be left behind. */
void litter_note_hidden(const char *temp_dir, int folder);
void litter_note_made(const char *temp_dir, int folder);

/* [osiris] `temp_root` contains the temporary folders of a run's workers, all of which have ended. Removes it, the run's hidden
 * files from all folders listed there, and the listed folders that are empty. */
void litter_remove(const char *temp_root, const char *run_id);
/* [another osiris] The same for a run whose osiris has ended; what one of its running workers holds is not removed. True: nothing is left. */
bool litter_remove_dead(const char *temp_root, const char *run_id);

#endif
