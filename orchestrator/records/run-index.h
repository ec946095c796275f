/*
 * .osiris/index/: completed and running runs.
 *
 *   runs.jsonl       one line for each completed run, appended with one write
 *   running/<run id> a running run: its future line, and where its records are
 *
 * and .osiris/tmp/<run id>: temporary files of its workers.
 *
 * A run holds a lock (flock) on its events.jsonl for as long as its process lives: a run that is listed as running
 * although nobody holds its lock was interrupted (kill -9, a power cut), whatever process has its pid now. On a
 * file system without such locks, such runs are not touched.
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

/* Completes the records of interrupted runs: `aborted` in status.json and in the index, run_error in events.jsonl. At
 * most RUN_INDEX_EXAMINED of the running ones are examined. Returns their lines (an array; free it). For runs that
 * ended with a full disk, what is only in one of status.json and the index is copied to the other. Records outside the
 * project's run_logs (--out, or an entry that somebody has written) are read and not changed; only the index records
 * their end. What dead workers have left in RUN_INDEX_TEMPORARY is removed, including what is listed there
 * (core/output/litter.h). What cannot be written is left to the next osiris. */
/* `own`: NULL, or a run whose records this process knows to be in a folder, wherever that is. */
struct run_index_own {
    const char *run_id, *run_dir;
};
#define RUN_INDEX_TEMPORARY ".osiris/tmp"
#define RUN_INDEX_EXAMINED 64
json_object *run_index_end_interrupted(const char *base_dir, const struct run_index_own *own);

/* Takes the lock of a run's events.jsonl, until it is closed. */
void run_index_lock(int fd);

#endif
