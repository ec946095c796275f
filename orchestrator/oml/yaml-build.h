/* From a YAML file's text to a tree of nodes. Private to yaml.c. */
#ifndef OSIRIS_ORCHESTRATOR_OML_YAML_BUILD_H
#define OSIRIS_ORCHESTRATOR_OML_YAML_BUILD_H

#include "orchestrator/oml/yaml-document.h"

/* Parses the source into nodes. 0, or -1 if it can't be parsed. */
int yaml_build(struct yaml_document *document, struct diagnostics *diagnostics);

#endif
