/* What `osiris run` itself puts into a run's records: how it began, how compiling went, how it ended. */
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
    const char *build_dir; /* or NULL while there is none */
    char started[CLOCK_TIMESTAMP_SIZE];
    char compiled_at[CLOCK_TIMESTAMP_SIZE];
    int64_t started_ns;
    double compile_ms;
};

/* Says that the run goes on (status.json, the index); run_start, compile_start and compile_complete with the times at which they were, adapter_selected. */
void run_records_begin(const struct run_records *records);
/* The build could not be written. */
void run_records_compile_error(const struct run_records *records,
                               const struct osiris_error *error);

/* run_complete or run_error, total_duration, status.json, the index. `status`: success, failed or cancelled;
 * `steps` is borrowed, or NULL; `error` is NULL for a success. -1: the records are not complete. */
int run_records_end(const struct run_records *records, const char *status, json_object *steps,
                    const struct osiris_error *error, struct osiris_error *records_error);

double run_records_elapsed_ms(const struct run_records *records);

#endif
