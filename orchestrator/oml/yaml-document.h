/* The state of a YAML file. Private to yaml.c, yaml-build.c and yaml-document.c. */
#ifndef OSIRIS_ORCHESTRATOR_OML_YAML_DOCUMENT_H
#define OSIRIS_ORCHESTRATOR_OML_YAML_DOCUMENT_H

#include "orchestrator/oml/yaml.h"

struct yaml_document {
    char *path;
    char *source;
    size_t source_length;
    struct yaml_node *root;
    struct yaml_node **nodes; /* all of them, for freeing */
    size_t node_count, node_capacity;
};

/* Reports an error of the file itself; a line that may contain a secret is not shown. */
void yaml_problem(const struct yaml_document *document, struct diagnostics *diagnostics,
                  const char *type, const struct source_location *where, const char *hint,
                  const char *format, ...) __attribute__((format(printf, 6, 7)));

#endif
