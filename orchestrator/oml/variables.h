/*
 * ${NAME} and ${NAME:-default} in values of the files that configure Osiris for a machine (osiris_connections.yaml, osiris.yaml):
 * filled in from the environment, or from .env and testing_env/.env beside the file. The environment wins; the process's own is
 * never changed.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_VARIABLES_H
#define OSIRIS_ORCHESTRATOR_OML_VARIABLES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/base/buffer.h"
#include "orchestrator/oml/yaml.h"

struct variables;

/* Reads the .env files of the folder of `path`. */
struct variables *variables_load(const char *path);
void variables_free(struct variables *variables);

/* Whether the text is exactly one reference. */
bool variables_is_one(const char *text);

/* Who reads values of a file. All is borrowed. */
struct variables_reader {
    const struct variables *variables;
    const struct yaml_document *document;
    const char *file;      /* the name of the file in messages */
    json_object *secrets;  /* an array that gets secret values: of secret keys, and of variables with secret names wherever they are
                              filled in */
    struct diagnostics *diagnostics;
};

/* A scalar's value with its variables filled in; `key` is the nearest one above. A secret is text, whatever it looks like; else
 * what came out is typed like any plain scalar, or is text unless `plain`. NULL is null, or a problem was reported at the
 * scalar's place: a variable is not set, is no UTF-8, or has no name. A literal secret is warned of. */
json_object *variables_scalar(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                              bool secret, bool plain);

/* The same of any node, typed as it stands there. What lies in a secret, or under a key name that says secret, is secret. */
json_object *variables_node(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                            bool secret);

#endif
