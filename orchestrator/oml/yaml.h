/*
 * User-written YAML files: read with libfyaml's event parser into our own tree, with positions, and within
 * limits that are checked before memory is allocated: size, depth, number of nodes, and all of these once aliases and merges
 * are expanded. So code that walks a tree may recurse, and may visit every node as often as it occurs.
 *
 * Plain scalars are typed as the original (PyYAML) types them where that matters to its users' files: null, ~;
 * true, false, yes, no, on, off; decimal, 0x and 0o integers; floats. Anything else, dates too, and every quoted scalar is a
 * string, and so are what YAML 1.1 and 1.2 disagree about (010, 1_000), .inf and .nan. An integer beyond 64 bits stays a
 * string. `<<` merges mappings, as there. Of tags, those of the core schema are known.
 *
 * A document belongs to one thread.
 */
#ifndef OSIRIS_ORCHESTRATOR_OML_YAML_H
#define OSIRIS_ORCHESTRATOR_OML_YAML_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/oml/diagnostic.h"

/* Scalars, sequences, mappings and aliases of a file. */
#define YAML_MAXIMUM_NODES (1u << 18)
/* A node weighs YAML_NODE_WEIGHT and a byte of text one; the maximum weight of a file with its aliases expanded. */
#define YAML_NODE_WEIGHT 16
#define YAML_MAXIMUM_WEIGHT (32u << 20)
#define YAML_MAXIMUM_ANCHORS 1000

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    struct source_location where;
    unsigned last_line; /* of a scalar: where it ends */
    bool plain;         /* a scalar without quotes */
    char *text;         /* a scalar's; NUL-terminated, without NUL inside */
    size_t count;             /* items or pairs */
    struct yaml_node **items; /* a sequence's items, or a mapping's values */
    struct yaml_node **keys;  /* a mapping's keys: scalars, all different */
    unsigned height;          /* levels of collections, this one included */
    size_t weight;            /* with everything below */
    size_t start, end;        /* a scalar's bytes in the source */
};

struct yaml_document;

/* Reads a file. Everything wrong with it goes to `diagnostics`. NULL if it cannot be read or parsed; an empty document is
 * an error. Duplicate keys are reported, too, but the document is returned, so that its reader can report what
 * else is wrong: whether there were errors is what counts. */
struct yaml_document *yaml_load(const char *path, struct diagnostics *diagnostics);
void yaml_free(struct yaml_document *document);
#define _cleanup_yaml_ _cleanup_(yaml_free_value)
static inline void yaml_free_value(struct yaml_document **document)
{
    yaml_free(*document);
}

struct yaml_node *yaml_root(const struct yaml_document *document);
const char *yaml_source(const struct yaml_document *document, size_t *length);

/* The value of a key, NULL if there is none (or `node` is not a mapping, or NULL). */
struct yaml_node *yaml_get(const struct yaml_node *node, const char *key);
/* The key's own node, for its position. */
struct yaml_node *yaml_get_key(const struct yaml_node *node, const char *key);
/* True for null and ~ and an empty plain scalar. */
bool yaml_is_null(const struct yaml_node *node);
/* A scalar that is a string by its typing; NULL if it is anything else. */
const char *yaml_string(const struct yaml_node *node);

/* The position of the first `part` inside a scalar, which may span many lines; the scalar's own position if it is not
 * there literally (but with escapes, for instance). */
struct source_location yaml_position_of(const struct yaml_document *document,
                                        const struct yaml_node *scalar, const char *part);

/* The node as a JSON value, NULL if it is null. The node may be a scalar that the caller has made: plain and text count. */
json_object *yaml_to_json(const struct yaml_node *node);

/* A diagnostic at a position in the document. */
#define yaml_diagnose(diagnostics, severity, type, document, where, location, hint, ...)           \
    do {                                                                                           \
        size_t yaml_length_;                                                                       \
        const char *yaml_source_ = yaml_source((document), &yaml_length_);                         \
        diagnostics_add((diagnostics), (severity), (type), (where), yaml_source_, yaml_length_,    \
                        (location), (hint), __VA_ARGS__);                                          \
    } while (0)

#endif
