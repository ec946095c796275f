/*
 * Making and freeing a run, on the main thread.
 */
#ifndef OSIRIS_WORKER_PREPARE_H
#define OSIRIS_WORKER_PREPARE_H

#include <json-c/json.h>

#include "worker/plan.h"
#include "worker/run.h"

/* Environment set, drivers loaded, queues made. */
struct run *run_new(struct channel *channel, const struct plan *plan, const struct worker_origin *origin, int stdout_fd,
                    struct osiris_error *error);
/* What prepare answers: {drivers: [{driver, version}]}. */
json_object *run_describe(const struct run *run);
/* Removes the temporary folder, if any was made. */
void run_remove_temp_dir(struct run *run);
/* No thread may work any more (decide_stop_all). Ends them, and removes the temporary folder. */
void run_free(struct run *run);

#endif
