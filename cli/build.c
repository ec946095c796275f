/* The registry and the compiled pipeline of a command line; see build.h. */
#include "cli/build.h"

#include <string.h>

#include "orchestrator/registry/adapter-file.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/registry/paths.h"
#include "orchestrator/oml/places.h"

int build_check_driver_dirs(const struct arguments *arguments, struct osiris_error *error)
{
    _cleanup_free_ const char **folders = arguments_values(arguments, "driver-dir");

    for (size_t i = 0; folders[i] != NULL; i++) {
        _cleanup_dir_ DIR *folder = opendir(folders[i]);
        if (folder == NULL)
            return osiris_error_set_errno(error, errno, "cannot open the driver folder \"%s\"", folders[i]);
    }
    return 0;
}

struct registry *build_registry(const struct arguments *arguments, struct osiris_error *error)
{
    _cleanup_free_ const char **driver_dirs = arguments_values(arguments, "driver-dir");
    _cleanup_free_ char *cache = paths_cache_dir();
    _cleanup_free_ char *cache_dir = cache == NULL ? NULL : memory_format("%s/drivers", cache);
    const struct registry_options options = {
        .driver_dirs = driver_dirs,
        .driver_path = paths_driver_path(),
        .installed_dir = paths_driver_dir(),
        .worker_path = paths_worker(),
        .cache_dir = cache_dir,
    };
    return registry_new(&options, error);
}

static int check_params(const char *const *params, struct osiris_error *error)
{
    for (; *params != NULL; params++) {
        const char *equals = strchr(*params, '=');
        if (equals == NULL || equals == *params) {
            osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"--param %s\" does not have the form NAME=VALUE",
                             *params);
            return -1;
        }
    }
    return 0;
}

/* A profile's name becomes part of folder names. */
static int check_profile(const char *profile, struct osiris_error *error)
{
    if (profile != NULL && (profile[0] == '\0' || profile[0] == '.' || strchr(profile, '/') != NULL))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "\"%s\" is not a valid profile name: it is empty, begins with a dot "
                                "or contains a slash",
                                profile);
    return 0;
}

/* {spec} or {error}, borrowed. To ask takes a process: each is asked once. */
static json_object *describe_adapter(struct build *build, const char *adapter)
{
    const struct adapter_folders folders = {paths_adapter_path(), paths_adapter_dir()};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    json_object *found = json_member(build->adapters, adapter);

    if (found != NULL)
        return found;
    json_object *spec = adapter_file_describe(adapter, &folders, build->places, &error);
    found = json_object_new_object();
    json_add(found, spec == NULL ? "error" : "spec", spec == NULL ? osiris_error_to_json(&error) : spec);
    if (build->adapters == NULL)
        build->adapters = json_object_new_object();
    json_add(build->adapters, adapter, found);
    return found;
}

int build_check_adapter(struct build *build, const char *place, struct osiris_error *error)
{
    const char *adapter = json_member_string(json_member(build->places, place), "adapter", place);
    json_object *refusal = json_member(describe_adapter(build, adapter), "error");

    if (refusal == NULL)
        return 0;
    osiris_error_from_json(error, refusal);
    return -1;
}

bool build_has_own_adapters(const struct build *build)
{
    const struct adapter_folders folders = {paths_adapter_path(), paths_adapter_dir()};

    json_object_object_foreach(build->adapters, name, unused)
    {
        (void)unused;
        if (strcmp(name, "local") != 0 || !adapter_file_is_installed(name, &folders))
            return false;
    }
    return true;
}

/* The steps that use places: those that name one, and all others. */
struct users {
    struct build *build;
    const struct pipeline *pipeline;
    const char *adapter; /* or NULL */
};

static bool is_used(void *context, const char *name)
{
    const struct users *users = context;

    for (size_t i = 0; i < users->pipeline->step_count; i++)
        if (users->pipeline->steps[i].run_on != NULL && strcmp(users->pipeline->steps[i].run_on, name) == 0)
            return true;
    return users->adapter != NULL && strcmp(users->adapter, name) == 0;
}

static json_object *spec_of_adapter(void *context, const char *adapter)
{
    const struct users *users = context;

    return json_member(describe_adapter(users->build, adapter), "spec");
}

/* Every place that a step names has to be there: to find out later would cost a run. */
static int find_places(struct build *build, const char *adapter)
{
    const struct pipeline *pipeline = build->pipeline;
    struct users users = {build, pipeline, adapter};
    const struct places_request request = {getenv("OSIRIS_HOME"), is_used, spec_of_adapter, &users};
    size_t errors = build->diagnostics.errors;

    build->secrets = json_object_new_array();
    build->places = places_load(&request, build->secrets, &build->diagnostics);
    if (build->places == NULL)
        return -1;
    for (size_t i = 0; i < pipeline->step_count; i++) {
        const struct pipeline_step *step = &pipeline->steps[i];
        _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
        if (step->run_on == NULL || strcmp(step->run_on, "default") == 0)
            continue;
        if (build_check_adapter(build, step->run_on, &error) < 0)
            diagnostics_add(&build->diagnostics, DIAGNOSTIC_ERROR, "unknown_place",
                            &step->run_on_where, pipeline->source, pipeline->source_length, NULL,
                            error.hint, "step \"%s\" cannot run on \"%s\": %s",
                            step->id == NULL ? "?" : step->id, step->run_on, error.message);
    }
    return build->diagnostics.errors > errors ? -1 : 0;
}

int build_pipeline(struct build *build, const struct arguments *arguments, const char *adapter,
                   struct osiris_error *error)
{
    return build_pipeline_file(build, arguments->operands[0],
                               arguments_value(arguments, "profile"), arguments, adapter, error);
}

int build_pipeline_file(struct build *build, const char *path, const char *profile,
                        const struct arguments *arguments, const char *adapter,
                        struct osiris_error *error)
{
    _cleanup_free_ const char **params = arguments_values(arguments, "param");

    if (check_profile(profile, error) < 0 || check_params(params, error) < 0)
        return -1;
    build->registry = build_registry(arguments, error);
    if (build->registry == NULL)
        return -1;
    const struct pipeline_options load = {
        .path = path,
        .profile = profile,
        .params = params,
        .registry = build->registry,
    };
    /* Everything that is wrong is reported together, also when the pipeline itself is broken. */
    (void)pipeline_load(&load, &build->diagnostics, &build->pipeline);
    if (build->pipeline == NULL)
        return -1;
    int found = find_places(build, adapter);
    const struct compile_options compile = {
        .pipeline = build->pipeline,
        .profile = profile,
        .osiris_home = getenv("OSIRIS_HOME"),
        .worker_path = paths_worker(),
    };
    if (compile_pipeline(&compile, &build->diagnostics, &build->compiled) < 0)
        found = -1;
    /* The command line may be wrong besides. */
    if (adapter != NULL && build->places != NULL &&
        build_check_adapter(build, adapter, error) < 0)
        found = -1;
    return found;
}

void build_clear(struct build *build)
{
    compiled_free(build->compiled);
    json_object_put(build->places);
    json_object_put(build->secrets);
    json_object_put(build->adapters);
    pipeline_free(build->pipeline);
    registry_free(build->registry);
    diagnostics_clear(&build->diagnostics);
    *build = (struct build){0};
}
