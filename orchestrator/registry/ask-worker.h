/*
 * Requests about drivers, which the orchestrator never loads itself: a short-lived worker process answers, with an empty
 * environment and a timeout.
 */
#ifndef OSIRIS_ORCHESTRATOR_REGISTRY_ASK_WORKER_H
#define OSIRIS_ORCHESTRATOR_REGISTRY_ASK_WORKER_H

#include <json-c/json.h>
#include <stddef.h>

#include "core/base/error.h"

/* `osiris-worker --describe FILE…`: the array that it printed, or NULL with the error set. Bounded: 64 MiB, and 10 s
 * more than 5 s a file. */
json_object *describe_with_worker(const char *worker_path, const char *const *files, size_t count,
                                  struct osiris_error *error);

/* `osiris-worker --validate`: what drivers say of configs. `questions` is [{file, driver, step_id, component, config,
 * connection}]; the answer has a list of errors for each, in the same order. Bounded alike, by questions. */
json_object *validate_with_worker(const char *worker_path, json_object *questions,
                                  struct osiris_error *error);

#endif
