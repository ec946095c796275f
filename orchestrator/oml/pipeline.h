/*
 * A pipeline as the user wrote it (OML 0.1.0), read, checked and with its parameters substituted.
 * Nothing here knows about connections' values, graphs or files that are written: see compile.h.
 *
 * Everything belongs to the struct pipeline and is freed with it; it does not change after loading.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_H

#include <json-c/json.h>
#include <stddef.h>

#include "orchestrator/oml/diagnostic.h"
#include "core/base/error.h"
#include "orchestrator/registry/registry.h"
#include "orchestrator/oml/retry.h"

struct yaml_document;
struct yaml_node;

struct pipeline_input {
    char *name;   /* "df", "df_orders", or the key under `inputs:` */
    char *from;   /* id of the producing step */
    char *output; /* "df" */
    struct source_location where;
};

struct pipeline_step {
    char *id;
    char *component_name;              /* as written */
    const struct component *component; /* of the registry */
    char *mode;                        /* read, write or transform */
    json_object *config;               /* an object with params substituted, without `connection` and faulty options */
    json_object *faulty;               /* {key: null}: options whose problem has been reported; NULL: none */
    bool config_is_partial;            /* an unknown key may be a misspelt option */
    bool config_is_wrong;              /* a problem was reported, possibly that something is missing */
    char *run_on;                      /* the name of the place, or NULL: the place of --adapter */
    int64_t timeout_ms;                /* of one attempt; 0: none */
    int64_t total_timeout_ms;          /* of all attempts and the waits between them; 0: none */
    struct retry_policy retry;         /* max_attempts 0: there is none */
    char *connection;                  /* "@family.alias", "@family", or NULL */
    char **needs;                      /* NULL-terminated; the default (the step before) filled in */
    /* Explicit `inputs:` only; NULL and 0 if absent. compile.c derives the others from needs. */
    struct pipeline_input *inputs;
    size_t input_count;
    struct source_location where;            /* of the step */
    struct source_location component_where;
    struct source_location run_on_where;
    struct source_location connection_where; /* of config.connection, or of the step */
    struct source_location config_where;
    const struct yaml_node *config_node; /* of the document; NULL if there is no config */
};

struct pipeline {
    char *path; /* as given */
    struct yaml_document *document;
    struct registry *registry; /* borrowed */
    const char *source; /* the file's text, for diagnostics */
    size_t source_length;
    char *oml_version;
    char *name;
    json_object *params;   /* {name: value}, resolved */
    json_object *metadata; /* or NULL */
    struct pipeline_step *steps;
    size_t step_count;
    bool is_broken;         /* it has errors; this is what could be read */
    bool has_graph;         /* ids, components and needs are sound */
    bool has_secret_params; /* the value of one may be in a config */
};

struct pipeline_options {
    const char *path;
    const char *profile;       /* or NULL */
    const char *const *params; /* NULL-terminated "name=value", or NULL */
    struct registry *registry; /* must outlive the pipeline */
};

/* Limits of a user's YAML file, checked before memory is allocated. */
#define YAML_MAXIMUM_BYTES (16u << 20)
#define YAML_MAXIMUM_DEPTH 64
#define PIPELINE_MAXIMUM_STEPS 1000
#define PIPELINE_MAXIMUM_NEEDS 50000 /* of all steps together */

/* Reads, validates and substitutes. All problems go to `diagnostics` together; returns 0 (there may be
 * warnings) or -1. A pipeline with errors is returned nevertheless, so that compile_pipeline can find out what else is wrong;
 * *out is unchanged only if nothing could be read. */
int pipeline_load(const struct pipeline_options *options, struct diagnostics *diagnostics,
                  struct pipeline **out);
void pipeline_free(struct pipeline *pipeline);
#define _cleanup_pipeline_ _cleanup_(pipeline_free_value)
static inline void pipeline_free_value(struct pipeline **pipeline)
{
    pipeline_free(*pipeline);
}

/* Adds a diagnostic at a position in the pipeline. */
#define pipeline_diagnose(diagnostics, severity, type, pipeline, where, location, hint, ...)       \
    diagnostics_add((diagnostics), (severity), (type), (where), (pipeline)->source,                \
                    (pipeline)->source_length, (location), (hint), __VA_ARGS__)

#endif
