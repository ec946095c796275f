/*
 * Compiles a pipeline: connections are resolved, configs checked against the components'
 * schemas, the graph of streams built, fingerprints computed. Same inputs, same bytes (except for the
 * manifest's generated_at).
 *
 * The scheduler and the worker follow the plan (plan.json):
 *
 *   { "pipeline": "orders-to-csv",
 *     "steps":  [ { "id", "component", "driver" (canonical name), "kind": "extractor|processor|writer",
 *                   "file" is NOT here (machine-dependent), "needs": [ids],
 *                   "inputs": [ {"name", "from", "output", "edge"} ],
 *                   "after": [ids of steps that must have run first, although no stream joins them],
 *                   "group", "timeout_ms", "total_timeout_ms", "retry" (retry.h), "atomic" (false: the writer cannot undo
 *                   what it has written), the last four only if they are set,
 *                   "connections" {"of": "@family.alias", "count", "max"}, how many connections it uses at a time, if
 *                   there is a max_connections,
 *                   "line", "column" } ],       in a topological order
 *     "edges":  [ { "id", "from", "output", "to", "input", "mode": "bounded|elastic" } ],
 *     "groups": [ { "id", "steps": [ids], "after": [group ids] } ] }
 *
 * An edge is elastic if it is on an undirected cycle of the step graph, `after` relations included;
 * any other may block its producer. A group is a set of steps connected by streams (groups that wait for
 * each other in a cycle are one); it succeeds, fails, commits and is retried as one.
 */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_COMPILE_H
#define OSIRIS_ORCHESTRATOR_COMPILE_COMPILE_H

#include <json-c/json.h>

#include "orchestrator/compile/plan.h"
#include "orchestrator/oml/diagnostic.h"
#include "core/base/error.h"
#include "orchestrator/oml/pipeline.h"

struct compiled {
    char *slug;            /* the pipeline's name as a file name */
    char *profile;         /* or NULL */
    json_object *manifest; /* manifest.yaml's content; fingerprints inside */
    struct plan *plan;     /* plan->json is plan.json */
    json_object *configs;  /* {step id: config} as in the pipeline, without connections: cfg/<step>.json */
    json_object *connections; /* {step id: {field: value}}, secrets inside: memory only, never written */
    json_object *aliases;  /* {step id: {family, alias, max_connections?}}: the connection of each step that has one */
    json_object *secrets;  /* [secret values], for the redactor: memory only */
    char manifest_hash[65];
    char manifest_short[8]; /* the first seven characters */
};

/* The maximum depth of a step's config and of its connection: a message's depth, less the levels around them. */
#define COMPILE_MAXIMUM_HEIGHT 24
/* The largest max_connections. */
#define COMPILE_MAXIMUM_CONNECTIONS 100000

struct compile_options {
    const struct pipeline *pipeline;
    const char *profile;          /* that the pipeline was loaded with, or NULL */
    const char *osiris_home;      /* $OSIRIS_HOME or NULL */
    const char *verb;             /* the verb that the steps run (driver.h); NULL: run */
    const char *worker_path; /* the worker that lets drivers validate configs; NULL: none */
};

/* Compiles. Problems go to `diagnostics`; returns 0 or -1. In a pipeline with errors, everything that does not depend
 * on the faulty parts is checked. */
int compile_pipeline(const struct compile_options *options, struct diagnostics *diagnostics,
                     struct compiled **out);
void compiled_free(struct compiled *compiled);
#define _cleanup_compiled_ _cleanup_(compiled_free_value)
static inline void compiled_free_value(struct compiled **compiled)
{
    compiled_free(*compiled);
}

/* Writes build/pipelines/[<profile>/]<slug>/<short7>-<hash>/{manifest.yaml, cfg/<step>.json, plan.json,
 * fingerprints.json, run_summary.json}, the LATEST pointer beside it, and
 * .osiris/index/{last_compile.txt, latest/<slug>.txt}, all below base_dir and each by rename.
 * *directory gets the build's directory (free it). */
int compiled_write(const struct compiled *compiled, const char *base_dir, char **directory,
                   struct osiris_error *error);

#endif
