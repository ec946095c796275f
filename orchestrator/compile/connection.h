/* A step's connection, and what of its config is the connection's. */
#ifndef OSIRIS_ORCHESTRATOR_COMPILE_CONNECTION_H
#define OSIRIS_ORCHESTRATOR_COMPILE_CONNECTION_H

#include "orchestrator/compile/compiler.h"

/* What the component's spec says of them: x-connection-fields, or NULL. */
json_object *compiler_connection_fields(const struct component *component);
/* Whether one of the spec's lists of JSON pointers says that the top-level field is secret. */
bool compiler_is_secret(const struct component *component, const char *field);
/* "mysql" of "mysql.extractor" */
void compiler_family(const struct component *component, char *family, size_t size);
/* The connection's fields, or NULL with the problem reported. */
json_object *compiler_resolve_connection(struct config_compiler *compiler);
/* Puts the step's overrides, which stand in its config, into the connection's fields. */
void compiler_take_overrides(const struct pipeline_step *step, json_object *config, json_object *fields);
/* Keys that are the connection's are not repeated in the config: their defaults stay out, too. */
void compiler_drop_connection_defaults(const struct pipeline_step *step, json_object *config);
/* Fields that the connection lacks and the schema knows a default of. */
void compiler_fill_connection_defaults(const struct pipeline_step *step, json_object *fields);

#endif
