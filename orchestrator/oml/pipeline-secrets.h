/* Literal secrets in a pipeline. Their lines are hidden. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_SECRETS_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_SECRETS_H

#include "orchestrator/oml/pipeline-reader.h"

/* In an option of a config, by the names of keys and by the component's spec, which may be NULL. */
void pipeline_refuse_secrets(struct pipeline_reader *reader, const struct component *component,
                             const struct yaml_node *key, const struct yaml_node *value,
                             const char *location);
/* In parameters. */
void pipeline_refuse_secret_params(struct pipeline_reader *reader, const struct yaml_node *params,
                                   const char *location);

#endif
