/*
 * ${NAME} and ${NAME:-default} in values of the files that configure Osiris for a machine (osiris_connections.yaml, osiris.yaml):
 * substituted from the environment, or from .env and testing_env/.env beside the file. The environment takes precedence and is
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

/* A scalar's value with its variables substituted; `key` is the nearest key above it. A secret is text, whatever it looks like; else
 * the result is typed like any plain scalar, or is text unless `plain`. NULL is null, or a problem was reported at the
 * scalar's position: a variable is not set, is not UTF-8, or has an invalid name. A literal secret gets a warning. */
json_object *variables_scalar(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                              bool secret, bool plain);

/* The same for any node, with the types of the file. Everything inside a secret, or under a secret key name, is secret. */
json_object *variables_node(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                            bool secret);

#endif
