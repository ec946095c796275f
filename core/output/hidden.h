/*
 * Hidden files, which outputs are until they are published: their names, ".<stem>.osiris-<run id>-<pid>-<n>.tmp", and removing those
 * that nobody has any more. Whoever lives holds its file's lock (flock), or the folder's.
 */
#ifndef OSIRIS_CORE_OUTPUT_HIDDEN_H
#define OSIRIS_CORE_OUTPUT_HIDDEN_H

/* Of this process (free it). */
char *hidden_name(const char *stem, const char *run_id, unsigned number);

/* Removes what an earlier process has left in the folder of the same stem, and, where locks are known to all who could write there,
 * of others of its series: stems that differ from it in numbers only. */
void hidden_remove_stale(int folder_fd, const char *stem);

/* Removes the hidden files of a run, none of whose processes lives any more, from a folder. */
void hidden_remove_of_run(const char *folder, const char *run_id);

#endif
