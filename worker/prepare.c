/* Making and freeing a run; see prepare.h. */
#include "worker/prepare.h"

#include <string.h>

#include "core/base/absolute-path.h"
#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/claims.h"
#include "core/output/litter.h"
#include "core/plugin/loader.h"
#include "worker/plan.h"

static int out_of_memory(struct osiris_error *error)
{
    return osiris_error_set_errno(error, ENOMEM, "cannot prepare the run");
}

/* Drivers receive the path and may have changed the working directory by then. */
static char *make_absolute(const struct run *run, const char *path)
{
    return absolute_path(run->origin->path, path);
}

/* Parts of prepare, in their order. */

static int set_environment(const struct plan *plan, struct osiris_error *error)
{
    for (size_t i = 0; i < plan->variable_count; i++)
        if (setenv(plan->environment[i].name, plan->environment[i].value, 1) < 0)
            return out_of_memory(error);
    return 0;
}

static int add_secrets(struct run *run, const struct plan *plan, struct osiris_error *error)
{
    for (size_t i = 0; i < plan->secret_count; i++)
        if (redactor_add(run->redactor, plan->secrets[i]) < 0)
            return out_of_memory(error);
    return 0;
}

static int load_driver(struct step *step, const struct plan_step *planned, struct osiris_error *error)
{
    /* A driver that was loaded before may have changed the working directory. */
    _cleanup_free_ char *file = make_absolute(step->run, planned->file);

    calls_enter(step->plan.name, CALL_LOAD);
    const struct osiris_plugin *plugin = loader_open(file, error);
    calls_leave();
    if (plugin == NULL)
        return -1;
    step->plan.driver = loader_driver(plugin, planned->file, planned->driver, error);
    return step->plan.driver == NULL ? -1 : 0;
}

static int make_step(struct step *step, struct run *run, const struct plan_step *planned, struct osiris_error *error)
{
    step_init(step, run);
    step->plan.id = strdup(planned->id);
    step->plan.component = strdup(planned->component);
    step->plan.name = driver_name_new(planned->id, planned->component, planned->driver);
    step->plan.group = planned->group;
    step->plan.connection = planned->connection == NULL ? json_object_new_object() : json_object_get(planned->connection);
    return load_driver(step, planned, error);
}

static int make_steps(struct run *run, const struct plan *plan, struct osiris_error *error)
{
    run->steps = calloc(plan->step_count + 1, sizeof *run->steps);
    if (run->steps == NULL)
        return out_of_memory(error);
    for (size_t i = 0; i < plan->step_count; i++) {
        if (!plan->steps[i].here)
            continue;
        struct step *step = &run->steps[run->step_count++];
        step->plan.rank = i;
        if (make_step(step, run, &plan->steps[i], error) < 0)
            return osiris_error_prefix(error, "step \"%s\"", step->plan.id);
    }
    return 0;
}

/* An edge with its ends in this worker. */
struct joint {
    const struct plan *plan;
    const struct plan_edge *edge;
    size_t number;
    struct step *from, *to; /* NULL: elsewhere */
};

/* The edge's end at one of our steps. NULL: no memory. */
static struct step_edge *add_edge(struct step_edge **edges, size_t *count, const char *name, size_t other, const struct joint *joint)
{
    struct step_edge *grown = reallocarray(*edges, *count + 1, sizeof **edges);

    if (grown == NULL)
        return NULL;
    *edges = grown;
    struct step_edge *edge = &grown[(*count)++];
    *edge = (struct step_edge){.name = strdup(name), .other_id = strdup(joint->plan->steps[other].id), .number = joint->number};
    return edge;
}

/* Batches from other places never make the main thread wait: credit bounds them, or they go to disk. */
static struct queue *make_queue(const struct run *run, const struct joint *joint)
{
    uint64_t bound = joint->edge->elastic ? joint->plan->spill_bytes
                     : joint->from == NULL ? UINT64_MAX
                                           : joint->plan->queue_bytes;

    return queue_new(bound, joint->edge->elastic, run->temp_dir);
}

static int make_input(struct run *run, const struct joint *joint, struct queue *queue)
{
    struct step_plan *plan = &joint->to->plan;
    struct step_edge *edge = add_edge(&plan->inputs, &plan->input_count, joint->edge->input, joint->edge->from, joint);

    if (edge == NULL) {
        queue_free(queue);
        return -1;
    }
    edge->queue = queue;
    edge->maker = joint->from == NULL ? NULL : joint->from->plan.name;
    if (joint->from == NULL)
        edge->link_input = link_input_new(run->channel, queue, joint->plan->queue_bytes, joint->edge->elastic);
    return 0;
}

static int make_output(struct run *run, const struct joint *joint, struct queue *queue)
{
    struct step_plan *plan = &joint->from->plan;
    struct step_own *own = &joint->from->own;
    struct step_edge *edge = add_edge(&plan->outputs, &plan->output_count, joint->edge->output, joint->edge->to, joint);
    bool *open = edge == NULL ? NULL : reallocarray(own->open_outputs, plan->output_count, sizeof *open);

    if (open == NULL)
        return -1;
    own->open_outputs = open;
    open[plan->output_count - 1] = true;
    edge->queue = queue;
    if (queue == NULL)
        edge->link_output = link_output_new(run->channel, joint->plan->queue_bytes, plan->name);
    return 0;
}

static int make_edge(struct run *run, const struct joint *joint, struct osiris_error *error)
{
    struct queue *queue = NULL;

    if ((joint->from != NULL && joint->from->plan.driver->kind == OSIRIS_WRITER) ||
        (joint->to != NULL && joint->to->plan.driver->kind == OSIRIS_EXTRACTOR))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "prepare: plan.edges[%zu] leads out of a writer or into an extractor", joint->number);
    if (joint->to != NULL) {
        queue = make_queue(run, joint);
        if (make_input(run, joint, queue) < 0)
            return out_of_memory(error);
    }
    if (joint->from != NULL && make_output(run, joint, queue) < 0)
        return out_of_memory(error);
    return 0;
}

/* Edges are numbered by their position in the plan. */
static int make_edges(struct run *run, const struct plan *plan, struct osiris_error *error)
{
    for (size_t i = 0; i < plan->edge_count; i++) {
        const struct plan_edge *edge = &plan->edges[i];
        const struct joint joint = {.plan = plan,
                                    .edge = edge,
                                    .number = i,
                                    .from = run_find_step(run, plan->steps[edge->from].id),
                                    .to = run_find_step(run, plan->steps[edge->to].id)};
        if (make_edge(run, &joint, error) < 0)
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
static int choose_temp_dir(struct run *run, const struct plan *plan, struct osiris_error *error)
{
    char name[CLOCK_ULID_SIZE];

    run->temp_root = make_absolute(run, plan->temp_dir);
    run->made_temp_root = access(run->temp_root, F_OK) < 0;
    if (clock_ulid(name) < 0)
        return osiris_error_set_errno(error, errno, "cannot name a temporary folder");
    run->temp_dir = memory_format("%s/%s", run->temp_root, name);
    run->temp_lock = litter_lock(run->temp_dir);
    return 0;
}

static bool is_mine(const void *run, const char *step_id)
{
    return run_find_step(run, step_id) != NULL;
}

void run_remove_temp_dir(struct run *run)
{
    cleanup_close_value(&run->temp_lock);
    run->temp_lock = -1;
    if (run->temp_dir == NULL)
        return;
    remove_tree(run->temp_dir);
    claims_remove(&(struct claims){.temp_root = run->temp_root, .run_id = run->run_id}, is_mine, run);
    if (run->made_temp_root)
        (void)rmdir(run->temp_root);
}

static int fill(struct run *run, const struct plan *plan, struct osiris_error *error)
{
    run->run_id = strdup(plan->run_id);
    run->artifacts_dir = make_absolute(run, plan->artifacts_dir);
    if (choose_temp_dir(run, plan, error) < 0 || add_secrets(run, plan, error) < 0 || set_environment(plan, error) < 0)
        return -1;
    if (plan->files_at_home && (run->home = home_new(run->channel, plan->files_compression, error)) == NULL)
        return -1;
    return make_steps(run, plan, error) < 0 ? -1 : make_edges(run, plan, error);
}

struct run *run_new(struct channel *channel, const struct plan *plan, const struct worker_origin *origin, int stdout_fd,
                    struct osiris_error *error)
{
    struct run *run = calloc(1, sizeof *run);

    run->channel = channel;
    run->origin = origin;
    run->outputs.stdout_fd = stdout_fd;
    run->temp_lock = -1;
    init_locks(run);
    run->redactor = redactor_new();
    if (fill(run, plan, error) == 0)
        return run;
    run_free(run);
    return NULL;
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    const struct timespec deadline = start_join_deadline();
    for (size_t i = 0; i < run->step_count; i++)
        step_end_thread(&run->steps[i], &deadline);
    run_remove_temp_dir(run);
    home_free(run->home);
    for (size_t i = 0; i < run->step_count; i++)
        step_clear(&run->steps[i]);
    redactor_free(run->redactor);
    pthread_cond_destroy(&run->work_ended);
    pthread_mutex_destroy(&run->steps_lock);
    pthread_mutex_destroy(&run->outputs.lock);
    free(run->steps);
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
    if (run->home != NULL)
        json_add_string(result, "files", "home");
    return result;
}
