/*
 * Reading the members of a request, once, into C values. The first member that is missing or malformed is the error, which names
 * it by its path. Values that are read after it are harmless defaults, so that a reader checks once, at its end.
 */
#ifndef OSIRIS_WORKER_FIELDS_H
#define OSIRIS_WORKER_FIELDS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define FIELDS_PATH_SIZE 160

/* Texts, maps and lists that are read are borrowed from `map`. */
struct fields {
    json_object *map;
    const char *method;          /* "prepare" */
    char path[FIELDS_PATH_SIZE]; /* of the map inside the params, "plan.steps[2]"; "": the params themselves */
    bool failed;
    struct osiris_error *error;
};

/* The params of a method. */
struct fields fields_of_params(const char *method, json_object *params, struct osiris_error *error);
/* An element of a list that was read from `parent`, or a value of its map. The parent fails if it is not a map. */
struct fields fields_of_element(struct fields *parent, const char *list, size_t index, json_object *element);
struct fields fields_of_value(struct fields *parent, const char *map, const char *name, json_object *value);
/* Copies the failure of a part to the whole. */
void fields_join(struct fields *whole, const struct fields *part);

/* A null counts as absent. An optional member that is present must have the right type. */
const char *fields_string(struct fields *fields, const char *key);
const char *fields_optional_string(struct fields *fields, const char *key, const char *fallback);
int64_t fields_integer(struct fields *fields, const char *key, int64_t minimum);
int64_t fields_optional_integer(struct fields *fields, const char *key, int64_t minimum, int64_t fallback);
json_object *fields_map(struct fields *fields, const char *key);
json_object *fields_optional_map(struct fields *fields, const char *key); /* NULL: absent */
json_object *fields_list(struct fields *fields, const char *key);
json_object *fields_optional_list(struct fields *fields, const char *key);
/* An element of a list that must be a text. */
const char *fields_text_of(struct fields *fields, const char *list, size_t index, json_object *element);

/* Zeroed memory for `count` elements and one more; NULL, and the fields have failed, if there is none: the peer decides the count. */
void *fields_array(struct fields *fields, size_t count, size_t size);

/* Refuses the member. `what` completes the message: "prepare: plan.steps[2].id is not usable". */
void fields_refuse(struct fields *fields, const char *key, const char *what);
/* 0, or -1: the error is set. */
int fields_end(const struct fields *fields);

#endif
