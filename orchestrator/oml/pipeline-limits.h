/* Reading a step's timeout and retry. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_LIMITS_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_LIMITS_H

#include "orchestrator/oml/pipeline-reader.h"

/* `location` is the step's. */
void pipeline_read_limits(struct pipeline_reader *reader, const struct yaml_node *node,
                          const char *location, struct pipeline_step *step);

#endif
