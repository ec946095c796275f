/*
 * A plan (compile.h) in the form that the session needs: names are indices, and omitted members have their defaults. It
 * is read once, and a malformed plan is refused here and nowhere else.
 */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_PLAN_H
#define OSIRIS_ORCHESTRATOR_COMPILE_PLAN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "orchestrator/oml/retry.h"

#define PLAN_NONE ((size_t)-1)

enum plan_kind { PLAN_EXTRACTOR, PLAN_PROCESSOR, PLAN_WRITER };

struct plan_input {
    const char *name; /* of the input */
    const char *output; /* at the step that the stream comes from */
    const char *from; /* the id of the step that produces the stream */
    size_t edge;
};

struct plan_step {
    const char *id, *component;
    const char *driver; /* its canonical name; "" if the plan has none */
    const char *place;  /* "default" unless the pipeline says where it runs */
    enum plan_kind kind;
    size_t group;
    struct plan_input *inputs;
    size_t input_count;
    size_t *after; /* steps that must have run */
    size_t after_count;
    int64_t timeout_ms, total_timeout_ms; /* 0: none */
    struct retry_policy retry;
    bool atomic;       /* it can undo what it has written */
    bool gives_stdout; /* it writes to standard output */
    const char *connection; /* the connection with a max_connections, or NULL */
    int64_t connection_count, connection_maximum;
};

/* The ends of a stream. */
struct plan_edge {
    size_t from, to;
};

struct plan_group {
    size_t *steps;
    size_t step_count;
    size_t *after; /* groups that must have committed */
    size_t after_count;
};

struct plan {
    json_object *json; /* the JSON that it was read from; a reference */
    const char *pipeline; /* its name */
    struct plan_step *steps;
    size_t step_count;
    struct plan_edge *edges;
    size_t edge_count;
    struct plan_group *groups;
    size_t group_count;
};

/* Strings are borrowed from `json`, of which the plan keeps a reference. NULL: malformed; the error has the reason. */
struct plan *plan_read(json_object *json, struct osiris_error *error);
void plan_free(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_free_value)
static inline void plan_free_value(struct plan **plan)
{
    plan_free(*plan);
}

/* PLAN_NONE if no step has that id; `id` may be NULL. */
size_t plan_find_step(const struct plan *plan, const char *id);

#endif
