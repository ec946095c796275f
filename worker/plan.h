/*
 * The params of `prepare`, read and checked once: the run, its plan, and the data for its drivers. The request is not accessed
 * afterwards.
 */
#ifndef OSIRIS_WORKER_PLAN_H
#define OSIRIS_WORKER_PLAN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct plan_step {
    const char *id;
    bool here; /* this worker runs it; the following members are set only then */
    const char *component;
    const char *driver, *file; /* the canonical name, and the shared object */
    int group;
    json_object *connection; /* NULL: it has none */
};

struct plan_edge {
    size_t from, to; /* indices of the plan's steps */
    const char *output, *input;
    bool elastic;
};

struct plan_variable {
    const char *name, *value;
};

/* Texts and connections are borrowed from `params`. */
struct plan {
    json_object *params; /* owned */
    const char *run_id, *artifacts_dir, *temp_dir;
    const char *working_dir; /* or NULL */
    uint64_t queue_bytes, spill_bytes;
    bool files_at_home;             /* the place does not have the pipeline's */
    json_object *files_compression; /* codecs for their contents, or NULL */
    struct plan_step *steps;
    size_t step_count;
    struct plan_edge *edges; /* by number */
    size_t edge_count;
    struct plan_variable *environment;
    size_t variable_count;
    const char **secrets;
    size_t secret_count;
};

/* -1: malformed; the error names the field. The plan must be cleared in either case. */
int plan_read(struct plan *plan, json_object *params, struct osiris_error *error);
void plan_clear(struct plan *plan);

#endif
