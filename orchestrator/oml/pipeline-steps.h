/* Reading a pipeline's steps. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_STEPS_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_STEPS_H

#include "orchestrator/oml/pipeline-reader.h"

/* Reads the steps, except for their dependencies. */
void pipeline_read_steps(struct pipeline_reader *reader, const struct yaml_node *steps);

#endif
