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

/* The context for reading the values of a file. Everything is borrowed. */
struct variables_reader {
    const struct variables *variables;
    const struct yaml_document *document;
    const char *file;      /* the name of the file in messages */
    json_object *secrets;  /* secret values are added to this array: those of secret keys, and of variables with secret names
                              wherever they are substituted */
    struct diagnostics *diagnostics;
    json_object *pointers; /* the spec's list of JSON pointers to secret values, or NULL */
};

/* A scalar's value with its variables substituted; `key` is the nearest key above it. A secret is always text. Otherwise
 * the result is typed like a plain scalar, or is text unless `plain`. NULL is null, or a problem was reported at the
 * scalar's position: a variable is not set, is not UTF-8, or has an invalid name. A literal secret gets a warning. */
json_object *variables_scalar(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                              bool secret, bool plain);

/* A value to read, and its context. */
struct variables_value {
    const struct yaml_node *key;  /* the nearest key above it */
    const struct yaml_node *node;
    const char *pointer;          /* the JSON pointer to it; NULL: the reader's pointers do not apply */
    json_object *schema;          /* its schema, or NULL */
    bool secret;
};

/* The same for any node, with the type that it has in the file. But a scalar that is exactly one variable, quoted or
 * not, gets the type of its schema, and so does a secret that cannot be a string. Everything inside a secret, or below
 * a key with a secret's name, is secret. */
json_object *variables_value(const struct variables_reader *reader, const struct variables_value *value);
/* The same for an entry of a mapping or sequence. */
json_object *variables_entry(const struct variables_reader *reader, const struct variables_value *collection, size_t index);

#endif
