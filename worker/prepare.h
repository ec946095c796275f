/*
 * Making and freeing a run, on the main thread.
 */
#ifndef OSIRIS_WORKER_PREPARE_H
#define OSIRIS_WORKER_PREPARE_H

#include <json-c/json.h>

#include "worker/run-plan.h"
#include "worker/run.h"

/* Sets the environment, loads the drivers, and makes the queues. */
struct run *run_new(struct channel *channel, const struct run_plan *plan, const struct worker_origin *origin, int stdout_fd,
                    struct osiris_error *error);
/* The answer to prepare: {drivers: [{driver, version}]}. */
json_object *run_describe(const struct run *run);
/* Removes the temporary folder, if there is one. Not all_closed: a thread still has outputs. */
void run_remove_temp_dir(struct run *run, bool all_closed);
/* No thread may be working (decide_stop_all). Ends the threads, and removes the temporary folder. */
void run_free(struct run *run);

#endif
