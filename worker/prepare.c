/* Making and freeing a run; see prepare.h. */
#include "worker/prepare.h"

#include <string.h>

#include "core/base/absolute-path.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/litter.h"
#include "core/plugin/loader.h"
#include "worker/claims.h"

#define DEFAULT_QUEUE_BYTES (1 << 20)
#define LARGEST_QUEUE_BYTES (INT64_C(1) << 40) /* credits of it can be added up */

static int out_of_memory(struct osiris_error *error)
{
    return osiris_error_set_errno(error, ENOMEM, "cannot prepare the run");
}

static int malformed(struct osiris_error *error, const char *what)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "prepare: %s", what);
}

static char *copy_string(json_object *params, const char *key)
{
    const char *text = json_member_string(params, key, NULL);

    return text == NULL ? NULL : strdup(text);
}

/* Drivers get it, or what is in it, and may be elsewhere by then. */
static char *copy_path(const struct run *run, json_object *params, const char *key)
{
    const char *path = json_member_string(params, key, NULL);

    return path == NULL ? NULL : absolute_path(run->origin->path, path);
}

/* Parts of prepare, in their order. */

static int set_environment(json_object *environment, struct osiris_error *error)
{
    if (!json_object_is_type(environment, json_type_object))
        return 0;
    json_object_object_foreach(environment, name, value)
    {
        if (name[0] == '\0' || strchr(name, '=') != NULL ||
            !json_object_is_type(value, json_type_string))
            return malformed(error, "an environment variable is malformed");
        if (setenv(name, json_object_get_string(value), 1) < 0)
            return out_of_memory(error);
    }
    return 0;
}

static int add_secrets(struct run *run, json_object *secrets, struct osiris_error *error)
{
    for (size_t i = 0; i < json_array_count(secrets); i++) {
        json_object *secret = json_object_array_get_idx(secrets, i);
        if (json_object_is_type(secret, json_type_string) &&
            redactor_add(run->redactor, json_object_get_string(secret)) < 0)
            return out_of_memory(error);
    }
    return 0;
}

static int load_driver(struct step *step, json_object *plan_step, json_object *drivers,
                       struct osiris_error *error)
{
    const char *name = json_member_string(plan_step, "driver", "");
    const char *path = json_member_string(drivers, name, NULL);

    if (path == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "prepare: no file is given for the driver \"%s\"", name);
    /* One that was loaded before may have changed the working directory. */
    _cleanup_free_ char *file = absolute_path(step->run->origin->path, path);
    const struct osiris_plugin *plugin = loader_open(file, error);
    if (plugin == NULL)
        return -1;
    step->plan.driver = loader_driver(plugin, path, name, error);
    return step->plan.driver == NULL ? -1 : 0;
}

static int make_step(struct step *step, struct run *run, json_object *plan_step,
                     json_object *params, struct osiris_error *error)
{
    const char *id = json_member_string(plan_step, "id", NULL);

    step_init(step, run);
    if (id == NULL || id[0] == '\0' || id[0] == '.' || strchr(id, '/') != NULL)
        return malformed(error, "a step has no usable id");
    step->plan.id = strdup(id);
    step->plan.component = copy_string(plan_step, "component");
    step->plan.group = (int)json_member_integer(plan_step, "group", 0);
    json_object *connection = json_member(json_member(params, "connections"), id);
    if (step->plan.component == NULL)
        return malformed(error, "a step has no component");
    step->plan.connection = connection == NULL ? json_object_new_object() : json_object_get(connection);
    return load_driver(step, plan_step, json_member(params, "drivers"), error);
}

/* Whether this worker is to run the step: prepare's `steps`, which may be absent. */
static bool runs_here(json_object *params, json_object *plan_step)
{
    json_object *steps = json_member(params, "steps");
    const char *id = json_member_string(plan_step, "id", "");

    for (size_t i = 0; i < json_array_count(steps); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(steps, i));
        if (name != NULL && strcmp(name, id) == 0)
            return true;
    }
    return !json_object_is_type(steps, json_type_array);
}

static int make_steps(struct run *run, json_object *params, struct osiris_error *error)
{
    json_object *list = json_member(json_member(params, "plan"), "steps");
    size_t count = json_array_count(list);

    run->steps = calloc(count + 1, sizeof *run->steps);
    if (run->steps == NULL)
        return out_of_memory(error);
    for (size_t i = 0; i < count; i++) {
        json_object *plan_step = json_object_array_get_idx(list, i);
        if (!runs_here(params, plan_step))
            continue;
        struct step *step = &run->steps[run->step_count++];
        step->plan.rank = i;
        if (make_step(step, run, plan_step, params, error) < 0)
            return osiris_error_prefix(error, "step \"%s\"", step->plan.id == NULL ? "" : step->plan.id);
        if (run_find_step(run, step->plan.id) != step)
            return malformed(error, "two steps have one id");
    }
    return 0;
}

/* The edge's end at one of our steps. NULL: no memory. */
static struct step_edge *add_edge(struct step_edge **edges, size_t *count, const char *name,
                                  const char *other_id, size_t number)
{
    struct step_edge *grown = reallocarray(*edges, *count + 1, sizeof **edges);

    if (grown == NULL)
        return NULL;
    *edges = grown;
    struct step_edge *edge = &grown[(*count)++];
    *edge = (struct step_edge){
        .name = strdup(name), .other_id = strdup(other_id), .number = number};
    return edge->name == NULL || edge->other_id == NULL ? NULL : edge;
}

/* What prepare says of an edge. */
struct plan_edge {
    size_t number;
    const char *from_id, *to_id, *output, *input;
    struct step *from, *to; /* NULL: elsewhere */
    bool elastic;
    uint64_t queue_bytes, spill_bytes;
};

static uint64_t bound_of(json_object *params, const char *key)
{
    int64_t bound = json_member_integer(params, key, DEFAULT_QUEUE_BYTES);

    if (bound <= 0)
        return DEFAULT_QUEUE_BYTES;
    return bound < LARGEST_QUEUE_BYTES ? (uint64_t)bound : LARGEST_QUEUE_BYTES;
}

/* What comes from elsewhere never makes the main thread wait: credit bounds it, or the disk takes it. */
static struct queue *make_queue(struct run *run, const struct plan_edge *edge)
{
    uint64_t bound = edge->elastic ? edge->spill_bytes
                     : edge->from == NULL ? UINT64_MAX
                                          : edge->queue_bytes;

    return run->queues[edge->number] = queue_new(bound, edge->elastic, run->temp_dir);
}

static int make_input(struct run *run, const struct plan_edge *plan, struct queue *queue)
{
    struct step_edge *edge = add_edge(&plan->to->plan.inputs, &plan->to->plan.input_count, plan->input,
                                      plan->from_id, plan->number);

    if (edge == NULL)
        return -1;
    edge->queue = queue;
    if (plan->from == NULL)
        edge->link_input =
            link_input_new(run->channel, queue, plan->queue_bytes, plan->elastic);
    return 0;
}

static int make_output(struct run *run, const struct plan_edge *plan, struct queue *queue)
{
    struct step_edge *edge = add_edge(&plan->from->plan.outputs, &plan->from->plan.output_count,
                                      plan->output, plan->to_id, plan->number);

    if (edge == NULL)
        return -1;
    edge->queue = queue;
    if (queue == NULL)
        edge->link_output = link_output_new(run->channel, plan->queue_bytes);
    struct step_own *own = &plan->from->own;
    own->open_outputs = reallocarray(own->open_outputs, plan->from->plan.output_count, sizeof *own->open_outputs);
    own->open_outputs[plan->from->plan.output_count - 1] = true;
    return 0;
}

static int make_edge(struct run *run, const struct plan_edge *edge, struct osiris_error *error)
{
    struct queue *queue = NULL;

    if ((edge->from != NULL && edge->from->plan.driver->kind == OSIRIS_WRITER) ||
        (edge->to != NULL && edge->to->plan.driver->kind == OSIRIS_EXTRACTOR))
        return malformed(error, "an edge joins steps that it cannot");
    if (edge->to != NULL) {
        queue = make_queue(run, edge);
        if (make_input(run, edge, queue) < 0)
            return out_of_memory(error);
    }
    if (edge->from != NULL && make_output(run, edge, queue) < 0)
        return out_of_memory(error);
    return 0;
}

static bool is_a_step(json_object *steps, const char *id)
{
    for (size_t i = 0; i < json_array_count(steps); i++)
        if (strcmp(json_member_string(json_object_array_get_idx(steps, i), "id", ""), id) == 0)
            return true;
    return false;
}

/* Edges are numbered by their place in the plan. */
static int make_edges(struct run *run, json_object *params, struct osiris_error *error)
{
    json_object *plan = json_member(params, "plan");
    json_object *list = json_member(plan, "edges");
    size_t count = json_array_count(list);

    run->queues = calloc(count + 1, sizeof(struct queue *));
    if (run->queues == NULL)
        return out_of_memory(error);
    run->queue_count = count;
    for (size_t i = 0; i < count; i++) {
        json_object *entry = json_object_array_get_idx(list, i);
        struct plan_edge edge = {
            .number = i,
            .from_id = json_member_string(entry, "from", ""),
            .to_id = json_member_string(entry, "to", ""),
            .output = json_member_string(entry, "output", "df"),
            .input = json_member_string(entry, "input", "df"),
            .elastic = strcmp(json_member_string(entry, "mode", "bounded"), "elastic") == 0,
            .queue_bytes = bound_of(params, "queue_bytes"),
            .spill_bytes = bound_of(params, "spill_bytes"),
        };
        edge.from = run_find_step(run, edge.from_id);
        edge.to = run_find_step(run, edge.to_id);
        if (json_member_integer(entry, "id", -1) != (int64_t)i)
            return malformed(error, "edges are not numbered from zero");
        if ((edge.from == NULL && !is_a_step(json_member(plan, "steps"), edge.from_id)) ||
            (edge.to == NULL && !is_a_step(json_member(plan, "steps"), edge.to_id)))
            return malformed(error, "an edge joins steps that it cannot");
        if (make_edge(run, &edge, error) < 0)
            return -1;
    }
    return 0;
}

static void init_locks(struct run *run)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&run->steps_lock, NULL);
    pthread_mutex_init(&run->outputs.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&run->work_ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* The folder that prepare names may be anything, a user's own included. */
static int choose_temp_dir(struct run *run, json_object *params, struct osiris_error *error)
{
    char name[CLOCK_ULID_SIZE];

    run->temp_root = copy_path(run, params, "temp_dir");
    if (run->temp_root == NULL)
        return malformed(error, "temp_dir is missing");
    run->made_temp_root = access(run->temp_root, F_OK) < 0;
    if (clock_ulid(name) < 0)
        return osiris_error_set_errno(error, errno, "cannot name a temporary folder");
    run->temp_dir = memory_format("%s/%s", run->temp_root, name);
    run->temp_lock = litter_lock(run->temp_dir);
    return 0;
}

void run_remove_temp_dir(struct run *run)
{
    cleanup_close_value(&run->temp_lock);
    run->temp_lock = -1;
    if (run->temp_dir == NULL)
        return;
    remove_tree(run->temp_dir);
    claims_remove_all(run);
    if (run->made_temp_root)
        (void)rmdir(run->temp_root);
}

struct run *run_new(struct channel *channel, json_object *params, const struct worker_origin *origin, int stdout_fd,
                    struct osiris_error *error)
{
    struct run *run = calloc(1, sizeof *run);

    run->channel = channel;
    run->origin = origin;
    run->outputs.stdout_fd = stdout_fd;
    run->temp_lock = -1;
    init_locks(run);
    run->redactor = redactor_new();
    run->run_id = copy_string(params, "run_id");
    run->artifacts_dir = copy_path(run, params, "artifacts_dir");
    if (run->run_id == NULL || run->artifacts_dir == NULL)
        malformed(error, "run_id or artifacts_dir is missing");
    else if (choose_temp_dir(run, params, error) == 0 && add_secrets(run, json_member(params, "secrets"), error) == 0 &&
             set_environment(json_member(params, "environment"), error) == 0 &&
             make_steps(run, params, error) == 0 && make_edges(run, params, error) == 0)
        return run;
    run_free(run);
    return NULL;
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    for (size_t i = 0; i < run->step_count; i++)
        step_end_thread(&run->steps[i]);
    run_remove_temp_dir(run);
    for (size_t i = 0; i < run->step_count; i++)
        step_clear(&run->steps[i]);
    for (size_t i = 0; i < run->queue_count; i++)
        queue_free(run->queues[i]); /* NULL is nothing */
    redactor_free(run->redactor);
    pthread_cond_destroy(&run->work_ended);
    pthread_mutex_destroy(&run->steps_lock);
    pthread_mutex_destroy(&run->outputs.lock);
    free(run->steps);
    free(run->queues);
    free(run->streams.discarded);
    free(run->streams.numbers);
    free(run->run_id);
    free(run->artifacts_dir);
    free(run->temp_root);
    free(run->temp_dir);
    free(run);
}

json_object *run_describe(const struct run *run)
{
    json_object *result = json_object_new_object();
    json_object *drivers = json_object_new_array();

    for (size_t i = 0; i < run->step_count; i++) {
        const struct osiris_driver *driver = run->steps[i].plan.driver;
        bool known = false;
        for (size_t j = 0; j < i; j++)
            known = known || run->steps[j].plan.driver == driver;
        if (known)
            continue;
        json_object *entry = json_object_new_object();
        json_add_string(entry, "driver", driver->name);
        json_add_string(entry, "version", driver->version);
        json_append(drivers, entry);
    }
    json_add(result, "drivers", drivers);
    return result;
}
