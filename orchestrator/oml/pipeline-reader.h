/* A pipeline that is being read: what its readers (pipeline.c and pipeline-*.c) share. Private to them. */
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
    bool graph_is_broken; /* a step has no id or component that could be used */
};

/* An error at a place of the pipeline. `hint` may be NULL. */
#define reader_error(reader, type, where, location, hint, ...)                                     \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_ERROR, (type), (reader)->pipeline,         \
                      (where), (location), (hint), __VA_ARGS__)
#define reader_warning(reader, type, where, location, hint, ...)                                   \
    pipeline_diagnose((reader)->diagnostics, DIAGNOSTIC_WARNING, (type), (reader)->pipeline,       \
                      (where), (location), (hint), __VA_ARGS__)

/* near_miss_question, or NULL if there are so many errors already that nobody would see it. */
char *pipeline_question(const struct pipeline_reader *reader, const char *wanted,
                        const char *const *candidates, size_t count);

#endif
