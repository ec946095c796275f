/* Reading the params of `prepare`; see plan.h. */
#include "worker/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"
#include "worker/fields.h"

#define DEFAULT_QUEUE_BYTES (1 << 20)
#define LARGEST_QUEUE_BYTES (INT64_C(1) << 40) /* small enough that credits can be added up */

/* SIZE_MAX: none of the first `count` has that id. */
static size_t find_step(const struct plan *plan, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(plan->steps[i].id, id) == 0)
            return i;
    return SIZE_MAX;
}

/* An id is also the name of a folder. */
static bool is_usable_id(const char *id)
{
    return id[0] != '\0' && id[0] != '.' && strchr(id, '/') == NULL;
}

static void read_step(struct plan *plan, struct fields *fields, struct plan_step *step)
{
    step->id = fields_string(fields, "id");
    if (!is_usable_id(step->id))
        fields_refuse(fields, "id", "is not usable as the name of a folder");
    if (find_step(plan, (size_t)(step - plan->steps), step->id) != SIZE_MAX)
        fields_refuse(fields, "id", "is also that of another step");
}

/* Members that only the worker of the step needs. */
static void read_own_step(struct plan *plan, struct fields *fields, struct plan_step *step, struct fields *params,
                          json_object *drivers, json_object *connections)
{
    struct fields files = {.map = drivers, .method = params->method, .path = "drivers", .failed = fields->failed, .error = params->error};
    struct fields all = {.map = connections, .method = params->method, .path = "connections", .failed = fields->failed,
                         .error = params->error};

    (void)plan;
    step->component = fields_string(fields, "component");
    step->driver = fields_string(fields, "driver");
    step->group = (int)fields_optional_integer(fields, "group", 0, 0);
    files.failed = all.failed = fields->failed;
    step->file = fields_string(&files, step->driver);
    fields_join(&all, &files);
    step->connection = fields_optional_map(&all, step->id);
    fields_join(fields, &all);
}

/* `steps` names those of this worker; absent: all. */
static void mark_steps_here(struct plan *plan, struct fields *params)
{
    json_object *list = fields_optional_list(params, "steps");

    for (size_t i = 0; list == NULL && i < plan->step_count; i++)
        plan->steps[i].here = true;
    for (size_t i = 0; i < json_array_count(list) && !params->failed; i++) {
        size_t index = find_step(plan, plan->step_count, fields_text_of(params, "steps", i, json_object_array_get_idx(list, i)));
        if (index == SIZE_MAX)
            fields_refuse(params, "steps", "names a step that is not in the plan");
        else
            plan->steps[index].here = true;
    }
}

static void read_steps(struct plan *plan, struct fields *params, json_object *list)
{
    size_t count = json_array_count(list);
    json_object *drivers = fields_optional_map(params, "drivers");
    json_object *connections = fields_optional_map(params, "connections");

    plan->steps = fields_array(params, count, sizeof *plan->steps);
    for (size_t i = 0; i < count && !params->failed; i++) {
        struct fields fields = fields_of_element(params, "plan.steps", i, json_object_array_get_idx(list, i));
        read_step(plan, &fields, &plan->steps[plan->step_count++]);
        fields_join(params, &fields);
    }
    mark_steps_here(plan, params);
    for (size_t i = 0; i < plan->step_count && !params->failed; i++) {
        struct fields fields = fields_of_element(params, "plan.steps", i, json_object_array_get_idx(list, i));
        if (plan->steps[i].here)
            read_own_step(plan, &fields, &plan->steps[i], params, drivers, connections);
        fields_join(params, &fields);
    }
}

static size_t read_end(const struct plan *plan, struct fields *fields, const char *key)
{
    size_t index = find_step(plan, plan->step_count, fields_string(fields, key));

    if (index != SIZE_MAX)
        return index;
    fields_refuse(fields, key, "is not a step of the plan");
    return 0;
}

static void read_edge(const struct plan *plan, struct fields *fields, size_t number, struct plan_edge *edge)
{
    const char *mode = fields_optional_string(fields, "mode", "bounded");

    if (fields_integer(fields, "id", 0) != (int64_t)number)
        fields_refuse(fields, "id", "is not its position in the list");
    if (strcmp(mode, "bounded") != 0 && strcmp(mode, "elastic") != 0)
        fields_refuse(fields, "mode", "is neither bounded nor elastic");
    edge->from = read_end(plan, fields, "from");
    edge->to = read_end(plan, fields, "to");
    edge->output = fields_optional_string(fields, "output", "df");
    edge->input = fields_optional_string(fields, "input", "df");
    edge->elastic = strcmp(mode, "elastic") == 0;
}

static void read_edges(struct plan *plan, struct fields *params, json_object *list)
{
    size_t count = json_array_count(list);

    plan->edges = fields_array(params, count, sizeof *plan->edges);
    for (size_t i = 0; i < count && !params->failed; i++) {
        struct fields fields = fields_of_element(params, "plan.edges", i, json_object_array_get_idx(list, i));
        read_edge(plan, &fields, i, &plan->edges[plan->edge_count++]);
        fields_join(params, &fields);
    }
}

static void read_plan(struct plan *plan, struct fields *params)
{
    struct fields fields = *params;

    fields.map = fields_map(params, "plan");
    memcpy(fields.path, "plan", sizeof "plan");
    fields.failed = params->failed;
    json_object *steps = fields_list(&fields, "steps"), *edges = fields_optional_list(&fields, "edges");
    fields_join(params, &fields);
    if (params->failed)
        return;
    read_steps(plan, params, steps);
    if (!params->failed)
        read_edges(plan, params, edges);
}

static void read_environment(struct plan *plan, struct fields *params)
{
    json_object *environment = fields_optional_map(params, "environment");

    if (environment == NULL)
        return;
    plan->environment = fields_array(params, (size_t)json_object_object_length(environment), sizeof *plan->environment);
    if (plan->environment == NULL)
        return;
    json_object_object_foreach(environment, name, value)
    {
        if (name[0] == '\0' || strchr(name, '=') != NULL)
            fields_refuse(params, "environment", "has a name that no variable can have");
        else if (!json_object_is_type(value, json_type_string))
            fields_refuse(params, "environment", "has a value that is not a string");
        else
            plan->environment[plan->variable_count++] = (struct plan_variable){name, json_object_get_string(value)};
    }
}

static void read_secrets(struct plan *plan, struct fields *params)
{
    json_object *list = fields_optional_list(params, "secrets");
    size_t count = json_array_count(list);

    plan->secrets = fields_array(params, count, sizeof *plan->secrets);
    for (size_t i = 0; plan->secrets != NULL && i < count; i++)
        plan->secrets[plan->secret_count++] = fields_text_of(params, "secrets", i, json_object_array_get_idx(list, i));
}

static uint64_t read_bound(struct fields *params, const char *key)
{
    int64_t bound = fields_optional_integer(params, key, 1, DEFAULT_QUEUE_BYTES);

    return (uint64_t)(bound < LARGEST_QUEUE_BYTES ? bound : LARGEST_QUEUE_BYTES);
}

static void read_files(struct plan *plan, struct fields *params)
{
    const char *files = fields_optional_string(params, "files", "shared");

    plan->files_at_home = strcmp(files, "home") == 0;
    if (!plan->files_at_home && strcmp(files, "shared") != 0)
        fields_refuse(params, "files", "is neither home nor shared");
    plan->files_compression = fields_optional_list(params, "files_compression");
    for (size_t i = 0; i < json_array_count(plan->files_compression); i++)
        (void)fields_text_of(params, "files_compression", i, json_object_array_get_idx(plan->files_compression, i));
}

int plan_read(struct plan *plan, json_object *params, struct osiris_error *error)
{
    struct fields fields = fields_of_params("prepare", params, error);

    *plan = (struct plan){.params = json_object_get(params)};
    plan->run_id = fields_string(&fields, "run_id");
    plan->artifacts_dir = fields_string(&fields, "artifacts_dir");
    plan->temp_dir = fields_string(&fields, "temp_dir");
    plan->working_dir = fields_optional_string(&fields, "working_dir", NULL);
    plan->queue_bytes = read_bound(&fields, "queue_bytes");
    plan->spill_bytes = read_bound(&fields, "spill_bytes");
    read_files(plan, &fields);
    read_environment(plan, &fields);
    read_secrets(plan, &fields);
    read_plan(plan, &fields);
    return fields_end(&fields);
}

void plan_clear(struct plan *plan)
{
    free(plan->steps);
    free(plan->edges);
    free(plan->environment);
    free(plan->secrets);
    json_object_put(plan->params);
    *plan = (struct plan){0};
}
