/* Runs `osiris-worker --describe FILE…` and reads its answer. Private to the registry. */
#ifndef OSIRIS_CORE_DESCRIBE_PROCESS_H
#define OSIRIS_CORE_DESCRIBE_PROCESS_H

#include <json-c/json.h>
#include <stddef.h>

#include "core/error.h"

/* `files` are paths. The array that the worker printed, or NULL with the error set. Bounded: 64 MiB, and 10 s
 * more than 5 s a file. */
json_object *describe_with_worker(const char *worker_path, const char *const *files, size_t count,
                                  struct osiris_error *error);

#endif
