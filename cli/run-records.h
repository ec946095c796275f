/* What `osiris run` itself writes to a run's records: its start, the compile phase, its end. */
#ifndef OSIRIS_CLI_RUN_RECORDS_H
#define OSIRIS_CLI_RUN_RECORDS_H

#include <stdint.h>

#include "core/base/clock.h"
#include "orchestrator/compile/compile.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/records/rundir.h"

struct run_records {
    struct rundir *rundir;
    struct redactor *redactor;
    const struct compiled *compiled;
    const struct pipeline *pipeline;
    const char *pipeline_path; /* redacted */
    const char *run_id;
    const char *adapter;
    const char *build_dir; /* NULL until there is one */
    char started[CLOCK_TIMESTAMP_SIZE];
    char compiled_at[CLOCK_TIMESTAMP_SIZE];
    int64_t started_ns;
    double compile_ms;
};

/* Records that the run is running (status.json, the index), and the events run_start, compile_start, compile_complete
 * (with their times) and adapter_selected. */
void run_records_begin(const struct run_records *records);
/* Records that the build could not be written. */
void run_records_compile_error(const struct run_records *records,
                               const struct osiris_error *error);

/* run_complete or run_error, total_duration, status.json, the index. `status`: success, failed or cancelled;
 * `steps` is borrowed, or NULL; `error` is NULL for a success. -1: the records are not complete. */
int run_records_end(const struct run_records *records, const char *status, json_object *steps,
                    const struct osiris_error *error, struct osiris_error *records_error);

double run_records_elapsed_ms(const struct run_records *records);

#endif
