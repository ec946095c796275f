/*
 * The constant part of a step, from `prepare`. It does not change until the run is freed, so any thread reads it without a lock.
 */
#ifndef OSIRIS_WORKER_STEP_PLAN_H
#define OSIRIS_WORKER_STEP_PLAN_H

#include <json-c/json.h>
#include <osiris/driver.h>
#include <stddef.h>

#include "worker/link-input.h"
#include "worker/link-output.h"
#include "worker/calls.h"
#include "worker/queue.h"

/* One end of an edge. */
struct step_edge {
    char *name;     /* of the input */
    char *other_id; /* the step at the other end */
    size_t number;  /* in the plan */
    struct queue *queue;             /* NULL: an output whose reader is in another place; the input owns it */
    const struct driver_name *maker; /* of the batches in an input's queue; NULL: they come from elsewhere */
    struct link_input *link_input;   /* of an input from another place: fills its queue; owned */
    struct link_output *link_output; /* an output to another place; owned */
};

struct step_plan {
    char *id;
    char *component; /* its name in the pipeline */
    const struct driver_name *name; /* all three, for as long as the process lives */
    const struct osiris_driver *driver;
    int group;
    size_t rank; /* its position in the plan */
    json_object *connection;
    struct step_edge *inputs;
    size_t input_count;
    struct step_edge *outputs;
    size_t output_count;
};

/* Frees everything that it points to. No thread may be working on the step. */
void step_plan_clear(struct step_plan *plan);

#endif
