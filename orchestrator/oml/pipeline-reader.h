/* A pipeline that is being read. Private to its readers (pipeline.c and pipeline-*.c). */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_READER_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_READER_H

#include "orchestrator/oml/params.h"
#include "orchestrator/oml/pipeline.h"
#include "orchestrator/oml/yaml.h"

struct pipeline_reader {
    struct pipeline *pipeline;
    const struct pipeline_options *options;
    struct params params;
    struct diagnostics *diagnostics;
    bool graph_is_broken; /* a step has no valid id or component */
};

/* An error at a position in the pipeline. `hint` may be NULL. */
#define reader_error(reader, type, where, location, hint, ...)                                     \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_ERROR, (type), (reader)->pipeline,         \
                      (where), (location), (hint), __VA_ARGS__)
#define reader_warning(reader, type, where, location, hint, ...)                                   \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_WARNING, (type), (reader)->pipeline,       \
                      (where), (location), (hint), __VA_ARGS__)

/* near_miss_question, or NULL if there are already so many errors that it would not be shown. */
char *pipeline_question(const struct pipeline_reader *reader, const char *wanted,
                        const char *const *candidates, size_t count);

#endif
