/*
 * The graph of a pipeline: which streams connect which steps, which may block, which steps succeed or fail together.
 * See compile.h for the plan that is made of it. Everything is indices into the pipeline's steps, in the file's order.
 */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_GRAPH_H
#define OSIRIS_ORCHESTRATOR_COMPILE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/oml/diagnostic.h"
#include "orchestrator/oml/pipeline.h"

struct graph_edge {
    size_t from, to;
    char *input;  /* the name at `to` */
    bool stream;  /* false: `to` only waits until `from` has run */
    bool elastic; /* of streams: on an undirected cycle */
};

struct graph {
    size_t step_count;
    size_t *order;  /* a topological order, that of the file where possible */
    size_t *groups; /* by step: its group's number, groups in topological order of their first steps */
    size_t group_count;
    struct graph_edge *edges;
    size_t edge_count;
};

/* Problems go to `diagnostics`; 0 or -1. The pipeline has no cycles (pipeline_load ensures that). */
int graph_make(const struct pipeline *pipeline, struct graph *graph,
               struct diagnostics *diagnostics);
void graph_clear(struct graph *graph);

#endif
