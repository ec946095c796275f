/*
 * From a command line to a compiled pipeline: the registry of components and the pipeline's file, for run, validate and
 * compile.
 */
#ifndef OSIRIS_CLI_BUILD_H
#define OSIRIS_CLI_BUILD_H

#include "cli/arguments.h"
#include "orchestrator/compile/compile.h"
#include "orchestrator/oml/diagnostic.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/registry/registry.h"

/* The options that build_pipeline and build_registry read; a command's table begins with them. */
#define BUILD_OPTION_DRIVER_DIR                                                                    \
    {                                                                                              \
        "driver-dir", 0, "DIR", "look for drivers in DIR first", true                              \
    }
#define BUILD_OPTIONS                                                                              \
    {"profile", 'p', "NAME", "use this profile of the pipeline", false},                           \
        {"param", 0, "NAME=VALUE", "set a parameter", true}, BUILD_OPTION_DRIVER_DIR

struct build {
    struct registry *registry;
    struct pipeline *pipeline;
    struct compiled *compiled;
    json_object *places; /* see orchestrator/oml/places.h */
    json_object *secrets; /* [values] of the places' options, or NULL */
    json_object *adapters; /* those that were searched for, {name: {spec} | {error}}, or NULL */
    struct diagnostics diagnostics; /* includes warnings */
};

/* Checks that each --driver-dir is a readable folder: 0, or -1 with the error set. */
int build_check_driver_dirs(const struct arguments *arguments, struct osiris_error *error);

/* NULL with the error set. */
struct registry *build_registry(const struct arguments *arguments, struct osiris_error *error);

/* Checks that a place is available: one of the build's places, or an execution adapter. 0 or -1. */
int build_check_adapter(struct build *build, const char *place, struct osiris_error *error);

/* Whether all of the build's adapters are osiris's own: the installed `local`. */
bool build_has_own_adapters(const struct build *build);

/* Loads and compiles the first operand. -1: the error is set, or the diagnostics have errors. */
int build_pipeline(struct build *build, const struct arguments *arguments, const char *adapter,
                   struct osiris_error *error);
/* The same with another file, and a profile (or NULL). */
int build_pipeline_file(struct build *build, const char *path, const char *profile,
                        const struct arguments *arguments, const char *adapter,
                        struct osiris_error *error);
void build_clear(struct build *build);
#define _cleanup_build_ _cleanup_(build_clear)

#endif
