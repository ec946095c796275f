/*
 * A run's directory and its records, in the original's layout:
 *
 *   run_logs/[<profile>/]<slug>/<YYYY-mm-ddTHH-MM-SSZ>_<run_id>-<short7>/
 *     events.jsonl  metrics.jsonl  osiris.log  debug.log  status.json  artifacts/<step>/…
 *
 * and a line in the index (run-index.h). A folder with the records of another run is refused: the records of two runs
 * are never mixed in one file, and nothing is lost.
 *
 * Text from outside has already passed the redactor where it was received; here everything passes redactor_record.
 * Lines are buffered, and flushed by rundir_flush and at the end; ERROR lines are flushed at once. One thread. A
 * failing write (a full disk) is remembered, reported by rundir_finish, and does not stop the run.
 */
#ifndef OSIRIS_ORCHESTRATOR_RECORDS_RUNDIR_H
#define OSIRIS_ORCHESTRATOR_RECORDS_RUNDIR_H

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/redact.h"

struct rundir;

struct rundir_options {
    const char *base_dir; /* the folder of run_logs and .osiris; usually "." */
    const char *run_dir;  /* --out: this directory instead of one below run_logs; or NULL */
    const char *slug;
    const char *profile; /* or NULL */
    const char *run_id;
    const char *manifest_short;
    struct redactor *redactor; /* outlives it */
};

struct rundir *rundir_open(const struct rundir_options *options, struct osiris_error *error);
void rundir_free(struct rundir *rundir);

const char *rundir_path(const struct rundir *rundir);
const char *rundir_artifacts_path(const struct rundir *rundir);
/* The parent of the temporary folders of the run's workers. The first worker creates it, and it is removed with its
 * content when they have ended. It is in the project, wherever the records are, so that the next run removes it if this
 * one is killed (run-index.h). If that is not possible (the project is read-only, or .osiris or its tmp is a link), it
 * is next to the records. */
const char *rundir_temp_path(const struct rundir *rundir);
/* The path as it may be shown and recorded: a folder that the user has chosen (--out) is text from outside and is
 * masked. Free it. */
char *rundir_shown(const struct rundir *rundir, const char *path);

/* Takes `fields` (an object, or NULL). Also written to debug.log. `ts`, `session` and `event` are put before the
 * fields; a `ts` among the fields takes precedence. */
void rundir_event(struct rundir *rundir, const char *event, json_object *fields);
/* Takes `tags` (or NULL). */
void rundir_metric(struct rundir *rundir, const char *metric, double value, const char *unit,
                   json_object *tags);
/* level: OSIRIS_DEBUG…; `source` is a step id, "worker", or NULL. */
void rundir_log(struct rundir *rundir, int level, const char *source, const char *message);
/* The same with the level INFO. */
void rundir_note(struct rundir *rundir, const char *source, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void rundir_flush(struct rundir *rundir);

/* Records that the run is running: writes status.json (takes `status`), and adds the line (takes `index_line`) to the
 * running runs. A failure is reported by rundir_finish. */
void rundir_begin(struct rundir *rundir, json_object *status, json_object *index_line);

/* Writes status.json (takes `status`) by rename, for which rundir_begin has reserved space on the disk, and appends the
 * run's line (takes `index_line`, or NULL) to the index. If one of them fails, the run remains listed as running, and
 * the next run completes it. Returns -1 with the first failure of the run's records. */
int rundir_finish(struct rundir *rundir, json_object *status, json_object *index_line,
                  struct osiris_error *error);

#endif
