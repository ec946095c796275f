/* A run's summary for people: a line per step, what was published, where the run's files are. */
#ifndef OSIRIS_CLI_SUMMARY_H
#define OSIRIS_CLI_SUMMARY_H

#include <json-c/json.h>

#include "orchestrator/compile/plan.h"
#include <stdio.h>

/* `steps` is session_result's; `run_dir` may be NULL. */
void summary_print(FILE *file, json_object *steps, const char *status, double total_ms, double compile_ms,
                   const char *run_dir);

/* The plan of a dry run: the steps in order, their inputs, and what they wait for. */
void summary_print_plan(const struct plan *plan);

#endif
