/*
 * .osiris/index/: completed and running runs.
 *
 *   runs.jsonl       one line for each completed run, appended with one write
 *   running/<run id> a running run: its future line, and where its records are
 *
 * A run holds a lock (flock) on its events.jsonl for as long as its process lives: a run that is among the running ones
 * although nobody holds its lock was interrupted (kill -9, a power cut), whatever process has its number now. Where a
 * filesystem knows no such locks, such runs stay as they are.
 */
#ifndef OSIRIS_ORCHESTRATOR_RECORDS_RUN_INDEX_H
#define OSIRIS_ORCHESTRATOR_RECORDS_RUN_INDEX_H

#include <json-c/json.h>

#include "core/base/error.h"

/* Both borrow `line`, which has passed the redactor. */
int run_index_append(const char *index_dir, json_object *line, struct osiris_error *error);
int run_index_add_running(const char *index_dir, const char *run_id, json_object *line,
                          struct osiris_error *error);
void run_index_remove_running(const char *index_dir, const char *run_id);

/* Completes the records of interrupted runs: `aborted` in status.json and in the index, run_error in
 * events.jsonl. At most RUN_INDEX_LOOKED_AT of the running ones are looked at. Returns their lines (an array; free it).
 * Of runs that ended with a full disk, what stands only in one of status.json and the index is put into the other.
 * Records that lie elsewhere than in the project's run_logs (--out, or a mark that somebody has made) are read and left as they
 * are; only the index tells of their end. What cannot be written is left for the next time. */
#define RUN_INDEX_LOOKED_AT 64
json_object *run_index_end_interrupted(const char *base_dir);

/* Takes the lock of a run's events.jsonl, until it is closed. */
void run_index_lock(int fd);

#endif
