/*
 * The names of events and metrics that only osiris itself records, defined here and nowhere else; docs/records.md
 * describes them. Workers and adapters must not use these names.
 */
#ifndef OSIRIS_ORCHESTRATOR_RECORDS_OWN_NAMES_H
#define OSIRIS_ORCHESTRATOR_RECORDS_OWN_NAMES_H

#include <stdbool.h>

#include "orchestrator/records/rundir.h"

#define OWN_EVENTS(X) \
    X(RUN_START, "run_start") \
    X(COMPILE_START, "compile_start") \
    X(CONNECTION_RESOLVE_START, "connection_resolve_start") \
    X(CONNECTION_RESOLVE_COMPLETE, "connection_resolve_complete") \
    X(COMPILE_COMPLETE, "compile_complete") \
    X(COMPILE_ERROR, "compile_error") \
    X(ADAPTER_SELECTED, "adapter_selected") \
    X(INPUTS_RESOLVED, "inputs_resolved") \
    X(CFG_OPENED, "cfg_opened") \
    X(ARTIFACTS_DIR_CREATED, "artifacts_dir_created") \
    X(CONFIG_META_STRIPPED, "config_meta_stripped") \
    X(ARTIFACT_CREATED, "artifact_created") \
    X(ADAPTER_PREPARE_START, "adapter_prepare_start") \
    X(ADAPTER_PREPARE_COMPLETE, "adapter_prepare_complete") \
    X(ADAPTER_EXECUTE_START, "adapter_execute_start") \
    X(ADAPTER_EXECUTE_COMPLETE, "adapter_execute_complete") \
    X(ADAPTER_EXECUTION_ERROR, "adapter_execution_error") \
    X(WORKER_STARTED, "worker_started") \
    X(DEPENDENCY_CHECK, "dependency_check") \
    X(DRIVER_REGISTERED, "driver_registered") \
    X(DRIVER_REGISTRATION_FAILED, "driver_registration_failed") \
    X(DRIVERS_REGISTERED, "drivers_registered") \
    X(SESSION_INITIALIZED, "session_initialized") \
    X(STEP_START, "step_start") \
    X(STEP_RETRY, "step_retry") \
    X(STEP_COMPLETE, "step_complete") \
    X(STEP_FAILED, "step_failed") \
    X(WORKER_RESTART, "worker_restart") \
    X(LINK_LOST, "link_lost") \
    X(LINK_RESUMED, "link_resumed") \
    X(CLOSE_FAILED, "close_failed") \
    X(REPORTS_DROPPED, "reports_dropped") \
    X(CLEANUP_START, "cleanup_start") \
    X(CLEANUP_COMPLETE, "cleanup_complete") \
    X(ADAPTER_COLLECT_START, "adapter_collect_start") \
    X(ADAPTER_COLLECT_COMPLETE, "adapter_collect_complete") \
    X(RUN_COMPLETE, "run_complete") \
    X(RUN_ERROR, "run_error")

#define OWN_METRICS(X) \
    X(COMPILATION_DURATION, "compilation_duration") \
    X(STEPS_TOTAL, "steps_total") \
    X(ROWS_READ, "rows_read") \
    X(ROWS_PROCESSED, "rows_processed") \
    X(ROWS_WRITTEN, "rows_written") \
    X(STEP_DURATION_MS, "step_duration_ms") \
    X(STEP_RETRY_DELAY_MS, "step_retry_delay_ms") \
    X(ADAPTER_EXIT_CODE, "adapter_exit_code") \
    X(ADAPTER_EXECUTION_DURATION, "adapter_execution_duration") \
    X(STEPS_COMPLETED, "steps_completed") \
    X(EXECUTION_DURATION, "execution_duration") \
    X(TOTAL_DURATION, "total_duration")

#define OWN_EVENT(name, text) EVENT_##name,
#define OWN_METRIC(name, text) METRIC_##name,
enum own_event { OWN_EVENTS(OWN_EVENT) };
enum own_metric { OWN_METRICS(OWN_METRIC) };
#undef OWN_EVENT
#undef OWN_METRIC

const char *own_metric_name(enum own_metric metric);
bool own_event_has_name(const char *name);
bool own_metric_has_name(const char *name);

/* Like rundir_event and rundir_metric. */
void rundir_own_event(struct rundir *rundir, enum own_event event, json_object *fields);
void rundir_own_metric(struct rundir *rundir, enum own_metric metric, double value, const char *unit, json_object *tags);

#endif
