/*
 * ${NAME} and ${NAME:-default} in values of the files that configure Osiris for a machine (osiris_connections.yaml, osiris.yaml):
 * substituted from the environment, or from .env and testing_env/.env beside the file. The environment takes precedence and is
 * never changed.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_VARIABLES_H
#define OSIRIS_ORCHESTRATOR_OML_VARIABLES_H

#include <json-c/json.h>
#include <stdbool.h>

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
    json_object *pointers; /* JSON pointers of values that are secret, as a spec has them, or NULL */
};

/* A scalar's value with its variables substituted; `key` is the nearest key above it. A secret is text, whatever it looks like; else
 * the result is typed like any plain scalar, or is text unless `plain`. NULL is null, or a problem was reported at the
 * scalar's position: a variable is not set, is not UTF-8, or has an invalid name. A literal secret gets a warning. */
json_object *variables_scalar(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                              bool secret, bool plain);

/* A value that is read, and what is known of it. */
struct variables_value {
    const struct yaml_node *key;  /* the nearest one above */
    const struct yaml_node *node;
    const char *pointer;          /* the JSON pointer to it, or NULL: the reader's pointers are not for it */
    json_object *schema;          /* what it is to be, or NULL */
    bool secret;
};

/* The same of any node, typed as it stands there; but a scalar that is one variable and nothing else, in quotes or not, takes the type
 * of its schema, and so does a secret that cannot be text. What lies in a secret, or under a key name that says secret, is secret. */
json_object *variables_value(const struct variables_reader *reader, const struct variables_value *value);
/* One entry of such a mapping or sequence. */
json_object *variables_entry(const struct variables_reader *reader, const struct variables_value *collection, size_t index);

#endif
