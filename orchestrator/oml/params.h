/*
 * A pipeline's parameters: defaults < OSIRIS_PARAM_<NAME> < profile < --param, and their use as ${params.NAME}.
 *
 * A value from the environment or the command line takes the type of the default (a list or a mapping is written as JSON);
 * one that does not fit is an error. Without a default, or with null, it is typed like a plain YAML scalar. A variable of
 * the environment also provides a value for a parameter that is used but not declared.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_PARAMS_H
#define OSIRIS_ORCHESTRATOR_OML_PARAMS_H

#include <json-c/json.h>

#include "orchestrator/oml/diagnostic.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/oml/yaml.h"

struct params {
    json_object *values;     /* {name: value}; owned */
    json_object *defaults;   /* {name: value}, as declared; owned */
    json_object *referenced; /* {name: null}: used somewhere; owned */
    size_t filled;           /* bytes of values that were filled in */
};

/* Resolves the parameters. Problems go to `diagnostics`. 0, or -1 (there are values nevertheless). */
int params_resolve(const struct yaml_document *document, const struct pipeline_options *options,
                   struct params *params, struct diagnostics *diagnostics);
void params_clear(struct params *params);

/* Whether a text contains a reference to a parameter. */
bool params_are_used(const char *text);

/* A node as JSON with ${params.…} substituted. `location` is the node's for diagnostics (steps[0].config). NULL is also
 * JSON's null; problems go to `diagnostics`. The substituted values of all nodes together are at most YAML_MAXIMUM_BYTES. */
json_object *params_fill(struct params *params, const struct yaml_document *document,
                         const struct yaml_node *node, const char *location,
                         struct diagnostics *diagnostics);

/* Reports --param names that the pipeline neither declares nor uses. Call it after all substitutions. */
void params_check_names(const struct params *params, const struct yaml_document *document,
                        const struct pipeline_options *options, struct diagnostics *diagnostics);

#endif
