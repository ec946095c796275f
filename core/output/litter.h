/*
 * What a killed worker leaves: hidden files of outputs (core/output/output.h) and folders that were created for them, anywhere. The worker
 * keeps a list of these in its own temporary folder, which osiris reads when the worker has gone: the osiris of the run, or, if that was
 * killed, too, the one of the next run. A running worker holds the lock of its folder.
 *
 * A worker that ends in an orderly way may leave such folders, too: those in which another worker is still writing. It leaves its list
 * for them, and the last one of the run's workers on that machine removes them, or osiris does.
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
/* The same: the created folder has a published output, so it stays, even if somebody empties it. */
void litter_note_kept(const char *temp_dir, int folder);

/* [worker] Its outputs are closed. Removes temp_dir, which is in temp_root, and the created folders that are empty. */
void litter_end(const char *temp_root, const char *temp_dir, const char *run_id);
/* [worker] The same if hidden files may be left: keeps the list in temp_dir, for osiris. */
void litter_leave(const char *temp_dir);

/* [osiris] `temp_root` contains the temporary folders of a run's workers, all of which have ended. Removes it, the run's hidden
 * files from all folders listed there, and the listed folders that are empty. */
void litter_remove(const char *temp_root, const char *run_id);
/* [another osiris] The same for a run whose osiris has ended; what one of its running workers holds is not removed. True: nothing is left. */
bool litter_remove_dead(const char *temp_root, const char *run_id);

#endif
