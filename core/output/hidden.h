/*
 * Hidden files, which outputs are until they are published: their names, ".<stem>.osiris-<run id>-<pid>-<n>.tmp", and
 * removing stale ones. A running process holds the lock (flock) of its file, or the folder's.
 */
#ifndef OSIRIS_CORE_OUTPUT_HIDDEN_H
#define OSIRIS_CORE_OUTPUT_HIDDEN_H

/* The name of a hidden file of this process. Free it. */
char *hidden_name(const char *stem, const char *run_id, unsigned number);

/* Removes stale files with the same stem from the folder, and, where locks are visible to everyone who could write
 * there, those of its series (stems that differ in numbers only). */
void hidden_remove_stale(int folder_fd, const char *stem);

/* Removes the hidden files of a run from a folder. None of the run's processes may be running. */
void hidden_remove_of_run(const char *folder, const char *run_id);

#endif
