/* Options of a pipeline's steps, in the config or in the connection that they come from. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_OPTION_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_OPTION_H

#include "orchestrator/oml/pipeline.h"

/* The position of a config key ("path", or "/ssl/mode" as a JSON pointer), or of the step's config. */
struct source_location pipeline_config_location(const struct pipeline_step *step, const char *key);

/* Whether the step's config has the option (a key, or a JSON pointer of which only the first key counts). */
bool pipeline_has_option(const struct pipeline_step *step, const char *option);
/* Whether the option is a field of the component's connection. */
bool component_has_connection_field(const struct component *component, const char *option);

/* The position of an option that a driver has named: in the config, or of the connection that it comes from. */
struct source_location pipeline_option_location(const struct pipeline_step *step, const char *option);

#endif
