/* The constant part of a step; see step-plan.h. */
#include "worker/step-plan.h"

#include <stdlib.h>

/* Batches that were not read are released with their queue, which calls code of the drivers that made them. */
static void free_queues(struct step_edge *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        calls_enter(inputs[i].maker, "release");
        queue_free(inputs[i].queue);
        calls_leave();
    }
}

static void free_edges(struct step_edge *edges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(edges[i].name);
        free(edges[i].other_id);
        link_input_free(edges[i].link_input);
        link_output_free(edges[i].link_output);
    }
    free(edges);
}

void step_plan_clear(struct step_plan *plan)
{
    free_queues(plan->inputs, plan->input_count);
    free_edges(plan->inputs, plan->input_count);
    free_edges(plan->outputs, plan->output_count);
    free(plan->id);
    free(plan->component);
    json_object_put(plan->connection);
}
