/* Shared by the files that read a pipeline (pipeline.c and pipeline-*.c). Private to them. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_INTERNAL_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_INTERNAL_H

#include "orchestrator/oml/params.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/oml/yaml.h"

struct pipeline_reader {
    struct pipeline *pipeline;
    const struct pipeline_options *options;
    struct params params;
    struct diagnostics *diagnostics;
    bool graph_is_broken; /* a step has no usable id or component */
};

/* An error at a position in the pipeline. `hint` may be NULL. */
#define reader_error(reader, type, where, location, hint, ...)                                     \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_ERROR, (type), (reader)->pipeline,         \
                      (where), (location), (hint), __VA_ARGS__)
#define reader_warning(reader, type, where, location, hint, ...)                                   \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_WARNING, (type), (reader)->pipeline,       \
                      (where), (location), (hint), __VA_ARGS__)

/* pipeline-steps.c: everything about the steps except their dependencies. */
void pipeline_read_steps(struct pipeline_reader *reader, const struct yaml_node *steps);

/* pipeline-limits.c: the step's timeout and retry. `location` is the step's. */
void pipeline_read_limits(struct pipeline_reader *reader, const struct yaml_node *node,
                          const char *location, struct pipeline_step *step);

/* pipeline-needs.c: needs, inputs, cycles. */
void pipeline_read_needs(struct pipeline_reader *reader, const struct yaml_node *steps);

/* pipeline-secrets.c: literal secrets in an option of a config, by the names of keys and by the component's spec (which
 * may be NULL), and in parameters. Their lines are hidden. */
void pipeline_refuse_secrets(struct pipeline_reader *reader, const struct component *component,
                             const struct yaml_node *key, const struct yaml_node *value,
                             const char *location);
void pipeline_refuse_secret_params(struct pipeline_reader *reader, const struct yaml_node *params,
                                   const char *location);

/* `known` is NULL-terminated. */
bool pipeline_key_is_known(const char *key, const char *const *known);

/* near_miss_question, or NULL if there are so many errors already that it would not be shown. */
char *pipeline_question(const struct pipeline_reader *reader, const char *wanted,
                        const char *const *candidates, size_t count);

#endif
