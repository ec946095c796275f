/* Builds a tree of nodes with positions from libfyaml's events; see yaml.h. */
#include "orchestrator/oml/yaml-build.h"

#include <libfyaml.h>
#include <stdint.h>
#include <string.h>

#include "core/base/memory.h"
#include "orchestrator/oml/pipeline.h"

struct anchor {
    char *name;
    struct yaml_node *node;
};

/* The open collections of the parser. */
struct builder {
    struct yaml_document *document;
    struct diagnostics *diagnostics;
    struct yaml_node *stack[YAML_MAXIMUM_DEPTH];
    struct yaml_node *pending_key[YAML_MAXIMUM_DEPTH];
    unsigned depth;
    struct anchor *anchors;
    size_t anchor_count;
    size_t borrowed; /* aliases and merged pairs: they need no node, but memory */
    bool failed;
    /* Columns are counted here, because libfyaml's jump at tabs. Events arrive in the order of the text. */
    size_t counted_to;
    unsigned counted_column;
};

#define fail(builder, type, where, hint, ...)                                                      \
    do {                                                                                           \
        (builder)->failed = true;                                                                  \
        yaml_problem((builder)->document, (builder)->diagnostics, (type), (where), (hint),         \
                     __VA_ARGS__);                                                                 \
    } while (0)

/* Positions. */

static unsigned column_at(struct builder *builder, size_t position)
{
    const char *source = builder->document->source;

    if (position > builder->document->source_length)
        position = builder->document->source_length;
    if (position < builder->counted_to || builder->counted_column == 0) {
        size_t start = position;
        while (start > 0 && source[start - 1] != '\n')
            start--;
        builder->counted_to = start;
        builder->counted_column = 1;
    }
    for (; builder->counted_to < position; builder->counted_to++) {
        unsigned char c = (unsigned char)source[builder->counted_to];
        if (c == '\n')
            builder->counted_column = 1;
        else if ((c & 0xc0) != 0x80)
            builder->counted_column++;
    }
    return builder->counted_column;
}

static struct source_location place_of(struct builder *builder, const struct fy_mark *mark)
{
    struct source_location where = {.file = builder->document->path};

    if (mark == NULL)
        return where;
    where.line = (unsigned)mark->line + 1;
    where.column = column_at(builder, mark->input_pos);
    return where;
}

/* Nodes. */

static bool has_room(struct builder *builder, const struct source_location *where)
{
    if (builder->document->node_count + builder->borrowed < YAML_MAXIMUM_NODES)
        return true;
    fail(builder, "too_large", where, NULL, "the file has more than %u values", YAML_MAXIMUM_NODES);
    return false;
}

static struct yaml_node *new_node(struct builder *builder, enum yaml_kind kind,
                                  const struct source_location *where)
{
    struct yaml_document *document = builder->document;

    if (!has_room(builder, where))
        return NULL;
    if (document->node_count == document->node_capacity) {
        document->node_capacity = document->node_capacity == 0 ? 64 : document->node_capacity * 2;
        document->nodes = reallocarray(document->nodes, document->node_capacity, sizeof *document->nodes);
    }
    struct yaml_node *node = calloc(1, sizeof *node);
    node->kind = kind;
    node->where = *where;
    node->weight = YAML_NODE_WEIGHT;
    document->nodes[document->node_count++] = node;
    return node;
}

/* Grows by doubling whenever the count is a power of two. */
static void append(struct yaml_node ***list, size_t count, struct yaml_node *node)
{
    if ((count & (count - 1)) == 0)
        *list = reallocarray(*list, count == 0 ? 1 : count * 2, sizeof **list);
    (*list)[count] = node;
}

static void append_pair(struct yaml_node *mapping, struct yaml_node *key, struct yaml_node *value)
{
    append(&mapping->keys, mapping->count, key);
    append(&mapping->items, mapping->count++, value);
}

/* Adds a node to its parent: a scalar, an alias, or a collection that has just started. */
static void add_node(struct builder *builder, struct yaml_node *node,
                  const struct source_location *where)
{
    if (builder->depth == 0) {
        if (builder->document->root == NULL)
            builder->document->root = node;
        return;
    }
    struct yaml_node *parent = builder->stack[builder->depth - 1];
    struct yaml_node **key = &builder->pending_key[builder->depth - 1];
    if (parent->kind == YAML_SEQUENCE) {
        append(&parent->items, parent->count++, node);
    } else if (*key == NULL) {
        if (node->kind != YAML_SCALAR)
            fail(builder, "invalid_key", where, NULL, "a key must be a plain word");
        else
            *key = node;
    } else {
        append_pair(parent, *key, node);
        *key = NULL;
    }
}

/* Finished mappings: merges and duplicate keys. */

static bool is_merge(const struct yaml_node *key)
{
    return key->plain && strcmp(key->text, "<<") == 0;
}

static void merge_mapping(struct builder *builder, struct yaml_node *mapping,
                          const struct yaml_node *key, const struct yaml_node *from)
{
    if (from->kind != YAML_MAPPING) {
        fail(builder, "invalid_key", &key->where, "write <<: *anchor",
             "\"<<\" merges a mapping, or a list of mappings");
        return;
    }
    for (size_t i = 0; i < from->count && !builder->failed; i++) {
        builder->borrowed++;
        if (has_room(builder, &key->where))
            append_pair(mapping, from->keys[i], from->items[i]);
    }
}

static void merge(struct builder *builder, struct yaml_node *mapping, const struct yaml_node *key,
                  const struct yaml_node *from)
{
    if (from->kind != YAML_SEQUENCE)
        merge_mapping(builder, mapping, key, from);
    else
        for (size_t i = 0; i < from->count && !builder->failed; i++)
            merge_mapping(builder, mapping, key, from->items[i]);
}

/* Appends merged pairs to the mapping's own pairs. Returns the number of its own pairs. */
static size_t write_merges_out(struct builder *builder, struct yaml_node *mapping)
{
    struct yaml_node own = *mapping;
    size_t own_count = 0;
    bool merges = false;

    for (size_t i = 0; i < own.count; i++)
        merges |= is_merge(own.keys[i]);
    if (!merges)
        return own.count;
    mapping->count = 0;
    mapping->keys = mapping->items = NULL;
    for (size_t i = 0; i < own.count; i++)
        if (!is_merge(own.keys[i])) {
            append_pair(mapping, own.keys[i], own.items[i]);
            own_count++;
        }
    for (size_t i = 0; i < own.count && !builder->failed; i++)
        if (is_merge(own.keys[i]))
            merge(builder, mapping, own.keys[i], own.items[i]);
    free(own.keys);
    free(own.items);
    return own_count;
}

struct key_at {
    const char *text;
    size_t index;
};

static int by_text(const void *a, const void *b)
{
    const struct key_at *left = a, *right = b;
    int texts = strcmp(left->text, right->text);

    return texts != 0 ? texts : left->index < right->index ? -1 : left->index > right->index;
}

/* The first of equal keys is kept. A mapping's own keys must differ; merged keys may repeat them. */
static void drop_same_keys(struct builder *builder, struct yaml_node *mapping, size_t own_count)
{
    _cleanup_free_ struct key_at *keys = calloc(mapping->count + 1, sizeof *keys);
    size_t kept = 0;

    for (size_t i = 0; i < mapping->count; i++)
        keys[i] = (struct key_at){.text = mapping->keys[i]->text, .index = i};
    qsort(keys, mapping->count, sizeof *keys, by_text);
    for (size_t i = 1; i < mapping->count; i++) {
        const struct yaml_node *key = mapping->keys[keys[i].index];
        if (strcmp(keys[i].text, keys[i - 1].text) != 0)
            continue;
        if (keys[i].index < own_count)
            yaml_problem(builder->document, builder->diagnostics, "duplicate_key", &key->where,
                         "keep one of them", "the key \"%s\" is duplicated", key->text);
        mapping->items[keys[i].index] = NULL;
    }
    for (size_t i = 0; i < mapping->count; i++) {
        if (mapping->items[i] == NULL)
            continue;
        mapping->keys[kept] = mapping->keys[i];
        mapping->items[kept++] = mapping->items[i];
    }
    mapping->count = kept;
}

/* Height and weight with everything below, aliases expanded: they are known, because aliases only point backwards. */
static void measure(struct builder *builder, struct yaml_node *node)
{
    uint64_t weight = YAML_NODE_WEIGHT;

    node->height = 1;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = node->items[i];
        weight += item->weight + (node->kind == YAML_MAPPING ? node->keys[i]->weight : 0);
        if (item->height >= node->height)
            node->height = item->height + 1;
    }
    if (weight > YAML_MAXIMUM_WEIGHT)
        fail(builder, "too_large", &node->where, NULL,
             "the file has too many values with its aliases expanded");
    else
        node->weight = (size_t)weight;
}

/* Events. */

static void on_end(struct builder *builder)
{
    struct yaml_node *node = builder->stack[--builder->depth];

    if (node->kind == YAML_MAPPING && node->count > 0) {
        size_t own_count = write_merges_out(builder, node);
        if (!builder->failed && node->count > 1)
            drop_same_keys(builder, node, own_count);
    }
    if (!builder->failed)
        measure(builder, node);
}

static char *token_text(struct fy_token *token)
{
    size_t length = 0;
    const char *text = token == NULL ? NULL : fy_token_get_text(token, &length);

    return strndup(text == NULL ? "" : text, text == NULL ? 0 : length);
}

static void remember_anchor(struct builder *builder, struct fy_token *token, struct yaml_node *node)
{
    if (token == NULL)
        return;
    if (builder->anchor_count >= YAML_MAXIMUM_ANCHORS) {
        fail(builder, "too_large", &node->where, NULL, "the file has more than %d anchors",
             YAML_MAXIMUM_ANCHORS);
        return;
    }
    if (builder->anchors == NULL)
        builder->anchors = calloc(YAML_MAXIMUM_ANCHORS, sizeof *builder->anchors);
    builder->anchors[builder->anchor_count++] = (struct anchor){.name = token_text(token), .node = node};
}

/* The last one of that name. */
static struct yaml_node *find_anchor(const struct builder *builder, const char *name)
{
    for (size_t i = builder->anchor_count; i-- > 0;)
        if (strcmp(builder->anchors[i].name, name) == 0)
            return builder->anchors[i].node;
    return NULL;
}

static bool is_open(const struct builder *builder, const struct yaml_node *node)
{
    for (unsigned i = 0; i < builder->depth; i++)
        if (builder->stack[i] == node)
            return true;
    return false;
}

static void fail_too_deep(struct builder *builder, const struct source_location *where)
{
    fail(builder, "too_deep", where, NULL, "the file is nested too deeply; %d levels are allowed",
         YAML_MAXIMUM_DEPTH);
}

static void on_alias(struct builder *builder, struct fy_token *token,
                     const struct source_location *where)
{
    _cleanup_free_ char *name = token_text(token);
    struct yaml_node *node = find_anchor(builder, name);

    if (node == NULL)
        fail(builder, "invalid_alias", where, "write &NAME before the value that the alias refers to",
             "there is no anchor for the alias \"%s\"", name);
    else if (is_open(builder, node))
        fail(builder, "invalid_alias", where, "remove it", "the alias \"%s\" contains itself", name);
    else if (builder->depth + node->height > YAML_MAXIMUM_DEPTH)
        fail_too_deep(builder, where);
    if (builder->failed || !has_room(builder, where))
        return;
    builder->borrowed++;
    add_node(builder, node, where);
}

/* Tags of the core schema are known. Other tags are refused, because ignoring them could change the meaning. */

static bool is_typed(const struct yaml_node *node, enum json_type type)
{
    const struct yaml_node plain = {.kind = YAML_SCALAR, .plain = true, .text = node->text};
    _cleanup_json_ json_object *value = yaml_to_json(&plain);

    return json_object_is_type(value, type);
}

static bool apply_tag(struct yaml_node *node, const char *name)
{
    static const struct {
        const char *name;
        enum json_type type;
    } types[] = {{"null", json_type_null},
                 {"bool", json_type_boolean},
                 {"int", json_type_int},
                 {"float", json_type_double}};

    if (node->kind != YAML_SCALAR)
        return strcmp(name, node->kind == YAML_MAPPING ? "map" : "seq") == 0;
    if (strcmp(name, "str") == 0) {
        node->plain = false;
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(name, types[i].name) == 0 && is_typed(node, types[i].type)) {
            node->plain = true;
            return true;
        }
    return false;
}

static void on_tag(struct builder *builder, struct fy_token *token, struct yaml_node *node)
{
    static const char core[] = "tag:yaml.org,2002:";
    const char *handle = token == NULL ? NULL : fy_tag_token_handle0(token);
    const char *suffix = token == NULL ? NULL : fy_tag_token_suffix0(token);
    const char *name = NULL;

    if (token == NULL)
        return;
    if (handle != NULL && strcmp(handle, "!!") == 0)
        name = suffix;
    else if (suffix != NULL && strncmp(suffix, core, sizeof core - 1) == 0)
        name = suffix + sizeof core - 1;
    else if (handle != NULL && strcmp(handle, "!") == 0 && (suffix == NULL || *suffix == '\0'))
        name = node->kind == YAML_SCALAR ? "str" : node->kind == YAML_MAPPING ? "map" : "seq";
    if (name == NULL || !apply_tag(node, name))
        fail(builder, "invalid_tag", &node->where, "remove the tag",
             "the tag \"%s%s\" is not valid here", handle == NULL ? "" : handle,
             suffix == NULL ? "" : suffix);
}

static void on_scalar(struct builder *builder, struct fy_event *event,
                      const struct source_location *where)
{
    struct fy_token *token = event->scalar.value;
    const struct fy_mark *start = fy_event_start_mark(event), *end = fy_event_end_mark(event);
    struct yaml_node *node = new_node(builder, YAML_SCALAR, where);
    size_t length = 0;

    if (node == NULL)
        return;
    const char *text = token == NULL ? NULL : fy_token_get_text(token, &length);
    node->text = strndup(text == NULL ? "" : text, text == NULL ? 0 : length);
    node->plain = token == NULL || fy_token_scalar_style(token) == FYSS_PLAIN;
    node->last_line = end == NULL ? where->line : (unsigned)end->line + 1;
    node->start = start == NULL ? 0 : start->input_pos;
    node->end = end == NULL ? 0 : end->input_pos;
    /* libfyaml counts from the character after the quote. */
    if (!node->plain && node->start > 0 && node->start <= builder->document->source_length &&
        strchr("\"'", builder->document->source[node->start - 1]) != NULL) {
        node->start--;
        node->where.column--;
    }
    if (text != NULL && memchr(text, '\0', length) != NULL) {
        fail(builder, "invalid_yaml", where, NULL, "a text with a NUL character is not allowed");
        return;
    }
    node->weight += length;
    on_tag(builder, event->scalar.tag, node);
    remember_anchor(builder, event->scalar.anchor, node);
    if (!builder->failed)
        add_node(builder, node, where);
}

static void on_start(struct builder *builder, enum yaml_kind kind, struct fy_token *anchor,
                     struct fy_token *tag, const struct source_location *where)
{
    if (builder->depth == YAML_MAXIMUM_DEPTH) {
        fail_too_deep(builder, where);
        return;
    }
    struct yaml_node *node = new_node(builder, kind, where);
    if (node == NULL)
        return;
    on_tag(builder, tag, node);
    remember_anchor(builder, anchor, node);
    if (!builder->failed)
        add_node(builder, node, where);
    builder->pending_key[builder->depth] = NULL;
    builder->stack[builder->depth++] = node;
}

static void on_event(struct builder *builder, struct fy_event *event)
{
    struct source_location where;

    if (event->type == FYET_SEQUENCE_END || event->type == FYET_MAPPING_END) {
        on_end(builder);
        return;
    }
    where = place_of(builder, fy_event_start_mark(event));
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (builder->document->root != NULL)
            fail(builder, "invalid_yaml", &where, "move the others to separate files",
                 "the file has more than one document");
        break;
    case FYET_ALIAS:
        on_alias(builder, event->alias.anchor, &where);
        break;
    case FYET_SCALAR:
        on_scalar(builder, event, &where);
        break;
    case FYET_SEQUENCE_START:
        on_start(builder, YAML_SEQUENCE, event->sequence_start.anchor, event->sequence_start.tag,
                 &where);
        break;
    case FYET_MAPPING_START:
        on_start(builder, YAML_MAPPING, event->mapping_start.anchor, event->mapping_start.tag,
                 &where);
        break;
    default:
        break;
    }
}

/* libfyaml prints nothing; its messages are collected. */
static void no_output(struct fy_diag *diag, void *user, const char *text, size_t length)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)length;
}

static void fail_to_parse(struct builder *builder, struct fy_diag *diag)
{
    void *cursor = NULL;
    const struct fy_diag_error *found = fy_diag_errors_iterate(diag, &cursor);
    struct source_location where = {.file = builder->document->path};

    /* libfyaml counts both from one here. */
    if (found != NULL && found->line > 0) {
        where.line = (unsigned)found->line;
        where.column = found->column > 0 ? (unsigned)found->column : 1;
    }
    fail(builder, "invalid_yaml", &where, NULL, "not valid YAML: %s",
         found == NULL || found->msg == NULL ? "it cannot be parsed" : found->msg);
}

static void parse(struct builder *builder)
{
    const struct fy_diag_cfg diag_config = {.output_fn = no_output, .level = FYET_ERROR};
    struct fy_diag *diag = fy_diag_create(&diag_config);
    const struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_AUTO, .diag = diag};
    struct fy_parser *parser;

    fy_diag_set_collect_errors(diag, true);
    parser = fy_parser_create(&config);
    if (parser == NULL || fy_parser_set_string(parser, builder->document->source,
                                               builder->document->source_length) < 0) {
        fail(builder, "invalid_yaml", NULL, NULL, "cannot start libfyaml");
    } else {
        struct fy_event *event;
        while (!builder->failed && (event = fy_parser_parse(parser)) != NULL) {
            on_event(builder, event);
            fy_parser_event_free(parser, event);
        }
        if (!builder->failed && (fy_diag_got_error(diag) || fy_parser_get_stream_error(parser)))
            fail_to_parse(builder, diag);
    }
    if (parser != NULL)
        fy_parser_destroy(parser);
    fy_diag_destroy(diag);
}

int yaml_build(struct yaml_document *document, struct diagnostics *diagnostics)
{
    struct builder builder = {.document = document, .diagnostics = diagnostics};

    /* Like json-c, libfyaml treats some failed allocations as the end of the text, so none may fail. The file's size is
     * limited. */
    memory_insist();
    parse(&builder);
    memory_insist_no_more();
    for (size_t i = 0; i < builder.anchor_count; i++)
        free(builder.anchors[i].name);
    free(builder.anchors);
    return builder.failed ? -1 : 0;
}
