/* Options of a pipeline's steps: of the config, or of the connection that they come from. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_OPTION_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_OPTION_H

#include "orchestrator/oml/pipeline.h"

/* The place of a config key ("path", or "/ssl/mode" as a JSON pointer), or of the step's config. */
struct source_location pipeline_config_location(const struct pipeline_step *step, const char *key);

/* Whether the step's config has an option (a key, or a JSON pointer whose first key counts). */
bool pipeline_has_option(const struct pipeline_step *step, const char *option);
/* Whether it is one of the component's connection. */
bool component_has_connection_field(const struct component *component, const char *option);

/* The place of an option as a driver names it, in the config or of the connection that it comes from. */
struct source_location pipeline_option_location(const struct pipeline_step *step, const char *option);

#endif
