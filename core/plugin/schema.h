/*
 * A subset of JSON Schema (draft 7's keywords) for configs: type, enum, const, minimum, maximum, exclusiveMinimum,
 * exclusiveMaximum, minLength, maxLength, pattern (POSIX extended), items, minItems, maxItems, properties, required,
 * additionalProperties, oneOf, anyOf, default. Other keywords are annotations.
 */
#ifndef OSIRIS_CORE_PLUGIN_SCHEMA_H
#define OSIRIS_CORE_PLUGIN_SCHEMA_H

#include <json-c/json.h>

#include "core/base/error.h"

/* One problem: `pointer` is the position in the value ("/columns/0", "" for the whole), `message` says what is wrong with
 * it ("must be at least 1"), and `is` is the actual value, for those who may see it ("0"; or NULL). All are borrowed. Values of
 * secret keys are in neither. */
typedef void (*schema_problem)(void *context, const char *pointer, const char *message,
                               const char *is);

/* Checks; returns the number of problems. */
size_t schema_check(json_object *schema, json_object *value, schema_problem problem, void *context);

/* The schema of a property of that name: its own, or that of all others; NULL: there is none. Borrowed. */
json_object *schema_of_property(json_object *schema, const char *name);

/* Adds the defaults of absent properties of an object, including nested ones. */
void schema_fill_defaults(json_object *schema, json_object *value);

/* The first problem as an error, if there is one. */
int schema_check_value(json_object *schema, json_object *value, struct osiris_error *error);

#endif
