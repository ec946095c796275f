/* Reading the dependencies between steps: needs, inputs, cycles. */
#ifndef OSIRIS_ORCHESTRATOR_OML_PIPELINE_NEEDS_H
#define OSIRIS_ORCHESTRATOR_OML_PIPELINE_NEEDS_H

#include "orchestrator/oml/pipeline-reader.h"

void pipeline_read_needs(struct pipeline_reader *reader, const struct yaml_node *steps);

#endif
