/* A step's connection, and connection fields in its config. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_CONNECTION_H
#define OSIRIS_ORCHESTRATOR_COMPILE_CONNECTION_H

#include "orchestrator/compile/compiler.h"

/* The x-connection-fields of the component's spec, or NULL. */
json_object *compiler_connection_fields(const struct component *component);
/* Whether one of the spec's lists of JSON pointers declares the top-level field secret. */
bool compiler_is_secret(const struct component *component, const char *field);
/* The family of the component: "mysql" of "mysql.extractor". */
void compiler_family(const struct component *component, char *family, size_t size);
/* The connection's fields, or NULL with the problem reported. */
json_object *compiler_resolve_connection(struct config_compiler *compiler);
/* Copies the step's overrides from its config into the connection's fields. */
void compiler_take_overrides(const struct pipeline_step *step, json_object *config, json_object *fields);
/* Removes defaults of connection fields from the config, which must not repeat the connection. */
void compiler_drop_connection_defaults(const struct pipeline_step *step, json_object *config);
/* Adds the schema's defaults for fields that the connection lacks. */
void compiler_fill_connection_defaults(const struct pipeline_step *step, json_object *fields);

#endif
