/* What the files that read a pipeline share (pipeline.c, pipeline-steps.c, pipeline-needs.c). Private to them. */
#ifndef OSIRIS_CORE_PIPELINE_INTERNAL_H
#define OSIRIS_CORE_PIPELINE_INTERNAL_H

#include "core/params.h"
#include "core/pipeline.h"
#include "core/yaml.h"

struct pipeline_reader {
    struct pipeline *pipeline;
    const struct pipeline_options *options;
    struct params params;
    struct diagnostics *diagnostics;
    /* Lines with literal secrets; hidden in all diagnostics at the end. */
    struct secret_lines {
        unsigned first, last;
    } *secret_lines;
    size_t secret_line_count;
};

/* An error at a place of the pipeline. `hint` may be NULL. */
#define reader_error(reader, type, where, location, hint, ...)                                     \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_ERROR, (type), (reader)->pipeline,         \
                      (where), (location), (hint), __VA_ARGS__)
#define reader_warning(reader, type, where, location, hint, ...)                                   \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_WARNING, (type), (reader)->pipeline,       \
                      (where), (location), (hint), __VA_ARGS__)

/* pipeline-steps.c: everything of the steps but what they need of each other. */
void pipeline_read_steps(struct pipeline_reader *reader, const struct yaml_node *steps);

/* pipeline-needs.c: needs, inputs, cycles. */
void pipeline_read_needs(struct pipeline_reader *reader, const struct yaml_node *steps);

/* A mapping's keys against what is known; `known` and `extra` are NULL-terminated. */
bool pipeline_key_is_known(const char *key, const char *const *known);

#endif
