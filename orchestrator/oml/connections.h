/*
 * osiris_connections.yaml: searched in $OSIRIS_HOME, the working directory and its parent. Only the connections that a
 * pipeline uses are resolved, with their variables substituted (variables.h).
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_CONNECTIONS_H
#define OSIRIS_ORCHESTRATOR_OML_CONNECTIONS_H

#include <json-c/json.h>

#include "orchestrator/oml/diagnostic.h"

struct connections;

/* Reads the file if there is one; NULL only if it is malformed (reported). */
struct connections *connections_load(const char *osiris_home, struct diagnostics *diagnostics);
void connections_free(struct connections *connections);

/* The file's path, NULL if there is none. */
const char *connections_path(const struct connections *connections);

enum connection_field {
    CONNECTION_FIELD_KNOWN,   /* of any type, or of several */
    CONNECTION_FIELD_TEXT,    /* a string */
    CONNECTION_FIELD_OTHER,   /* of another type */
    CONNECTION_FIELD_UNKNOWN, /* no component of the family has it: a warning */
};

/* Resolves "@family.alias" (alias NULL: the family's default). *fields gets {field: value} (free it), *chosen the
 * alias (borrowed). Values of secret fields, and of variables with secret names wherever they are substituted, are
 * added to `secrets` (an array); `is_secret(context, field)` says what the component's spec says.
 * 0; -1 with the problem reported at `where` (the pipeline's place, with its source) or in the connections file. */
struct connection_request {
    const char *family;
    const char *alias;
    const struct source_location *where;
    const char *source;
    size_t source_length;
    const char *location;
    bool (*is_secret)(void *context, const char *field);
    /* What the component knows about a field; NULL: nothing. */
    enum connection_field (*field)(void *context, const char *field);
    /* A question that suggests a name for an unknown one (free it), or NULL. */
    char *(*question)(void *context, const char *field);
    void *context;
};
int connections_resolve(struct connections *connections, const struct connection_request *request,
                        json_object **fields, const char **chosen, json_object *secrets,
                        struct diagnostics *diagnostics);

/* Where the value of a connection's field is defined; false if the file has no such field. Lines of the file must not
 * be shown. */
bool connections_find_field(const struct connections *connections, const char *family, const char *alias,
                            const char *field, struct source_location *where);

/* [{connection: "@family.alias", family, alias, default, fields: [names]}], no values; free it. */
json_object *connections_list(const struct connections *connections);

/* Whether the family has a default connection. */
bool connections_have_default(const struct connections *connections, const char *family);

#endif
