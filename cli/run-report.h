/* What `osiris run` prints after it has run a pipeline, or after a dry run. */
#ifndef OSIRIS_CLI_RUN_REPORT_H
#define OSIRIS_CLI_RUN_REPORT_H

#include "cli/build.h"
#include "core/base/redact.h"

/* Everything is borrowed. */
struct run_report {
    bool json;
    bool uses_stdout; /* a step writes to stdout, so the summary goes to stderr */
    const struct build *build;
    struct redactor *redactor;
    const char *pipeline_path; /* redacted; NULL for a dry run */
    const char *run_id, *run_dir, *artifacts_dir; /* redacted; NULL without records */
    const char *adapter;
    double total_ms, compile_ms;
    json_object *steps; /* session_result's, or NULL */
    json_object *warnings; /* of the session, [{source, message}] */
};

/* `status`: success, failed or cancelled. The error, redacted already, has no category after a success. */
void run_report_result(const struct run_report *report, const char *status, const struct osiris_error *error);
/* Of a dry run. Returns the exit code. */
int run_report_plan(const struct run_report *report);

#endif
