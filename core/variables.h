/*
 * ${NAME} and ${NAME:-default} in values of the files that configure Osiris for a machine (osiris_connections.yaml, osiris.yaml):
 * filled in from the environment, or from .env and testing_env/.env beside the file. The environment wins; the process's own is
 * never changed.
 */
#ifndef OSIRIS_CORE_VARIABLES_H
#define OSIRIS_CORE_VARIABLES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/yaml.h"

struct variables;

/* Reads the .env files of the folder that `path` lies in. NULL: no memory. */
struct variables *variables_load(const char *path);
void variables_free(struct variables *variables);

/* Whether the text is one reference and nothing else. */
bool variables_is_one(const char *text);

/* What was filled in into a text. */
struct filled_in {
    bool any;            /* it has variables */
    json_object *secret; /* an array that gets the values of those whose names say that they are secret; borrowed */
};

/* Appends the scalar's text with its variables filled in. 0; -1: a problem was reported at the scalar's place, that a variable is
 * not set, is no UTF-8, or has no name. */
int variables_fill(const struct variables *variables, const struct yaml_document *document, const struct yaml_node *node,
                   struct buffer *text, struct filled_in *filled, struct diagnostics *diagnostics);

#endif
