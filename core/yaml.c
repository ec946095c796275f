/* YAML files as trees with places; see yaml.h. */
#include "core/yaml.h"

#include <libfyaml.h>
#include <math.h>
#include <string.h>

#include "core/atomic-file.h"
#include "core/pipeline.h"
#include "core/utf8.h"

struct anchor {
    char *name;
    struct yaml_node *node;
};

struct yaml_document {
    char *path;
    char *source;
    size_t source_length;
    struct yaml_node *root;
    struct yaml_node **nodes; /* all of them, for freeing */
    size_t node_count, node_capacity;
    struct anchor *anchors;
    size_t anchor_count;
};

/* What the parser is in the middle of. */
struct builder {
    struct yaml_document *document;
    struct diagnostics *diagnostics;
    struct yaml_node *stack[YAML_MAXIMUM_DEPTH];
    struct yaml_node *pending_key[YAML_MAXIMUM_DEPTH];
    unsigned depth;
    bool failed;
};

static void diagnose(struct builder *builder, const char *type, const struct fy_mark *mark,
                     const char *hint, const char *format, const char *detail)
{
    struct source_location where = {.file = builder->document->path};

    if (mark != NULL) {
        where.line = (unsigned)mark->line + 1;
        where.column = (unsigned)mark->column + 1;
    }
    builder->failed = true;
    _Pragma("GCC diagnostic push")
    _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
    diagnostics_add(builder->diagnostics, DIAGNOSTIC_ERROR, type, &where,
                    builder->document->source, builder->document->source_length, NULL, hint,
                    format, detail);
    _Pragma("GCC diagnostic pop")
}

static struct yaml_node *new_node(struct builder *builder, enum yaml_kind kind,
                                  const struct fy_mark *mark)
{
    struct yaml_document *document = builder->document;

    if (document->node_count >= YAML_MAXIMUM_NODES) {
        diagnose(builder, "too_large", mark, NULL, "%s", "the file has too many values");
        return NULL;
    }
    if (document->node_count == document->node_capacity) {
        size_t capacity = document->node_capacity == 0 ? 64 : document->node_capacity * 2;
        void *grown = reallocarray(document->nodes, capacity, sizeof *document->nodes);
        if (grown == NULL) {
            diagnose(builder, "out_of_memory", mark, NULL, "%s", "out of memory");
            return NULL;
        }
        document->nodes = grown;
        document->node_capacity = capacity;
    }
    struct yaml_node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        diagnose(builder, "out_of_memory", mark, NULL, "%s", "out of memory");
        return NULL;
    }
    node->kind = kind;
    node->where.file = document->path;
    if (mark != NULL) {
        node->where.line = (unsigned)mark->line + 1;
        node->where.column = (unsigned)mark->column + 1;
    }
    document->nodes[document->node_count++] = node;
    return node;
}

/* Grows by doubling whenever the count is a power of two. */
static int append(struct yaml_node ***list, size_t count, struct yaml_node *node)
{
    if ((count & (count - 1)) == 0) {
        void *grown = reallocarray(*list, count == 0 ? 1 : count * 2, sizeof **list);
        if (grown == NULL)
            return -1;
        *list = grown;
    }
    (*list)[count] = node;
    return 0;
}

static void add_pair(struct builder *builder, struct yaml_node *mapping, struct yaml_node *key,
                     struct yaml_node *value)
{
    struct fy_mark mark = {.line = (int)key->where.line - 1, .column = (int)key->where.column - 1};

    if (yaml_get(mapping, key->text) != NULL) {
        diagnose(builder, "duplicate_key", &mark, "keep one of them", "the key \"%s\" is there twice",
                 key->text);
        return;
    }
    if (append(&mapping->keys, mapping->count, key) < 0 ||
        append(&mapping->items, mapping->count, value) < 0)
        diagnose(builder, "out_of_memory", &mark, NULL, "%s", "out of memory");
    else
        mapping->count++;
}

/* Puts a finished or just begun node where it belongs. */
static void place(struct builder *builder, struct yaml_node *node, const struct fy_mark *mark)
{
    if (builder->depth == 0) {
        if (builder->document->root == NULL)
            builder->document->root = node;
        return;
    }
    struct yaml_node *parent = builder->stack[builder->depth - 1];
    struct yaml_node **key = &builder->pending_key[builder->depth - 1];
    if (parent->kind == YAML_SEQUENCE) {
        if (append(&parent->items, parent->count, node) < 0)
            diagnose(builder, "out_of_memory", mark, NULL, "%s", "out of memory");
        else
            parent->count++;
    } else if (*key == NULL) {
        if (node->kind != YAML_SCALAR)
            diagnose(builder, "invalid_key", mark, NULL, "%s", "a key must be a plain word");
        else
            *key = node;
    } else {
        add_pair(builder, parent, *key, node);
        *key = NULL;
    }
}

static char *token_text(struct fy_token *token)
{
    size_t length = 0;
    const char *text = token == NULL ? NULL : fy_token_get_text(token, &length);

    return strndup(text == NULL ? "" : text, text == NULL ? 0 : length);
}

static void remember_anchor(struct builder *builder, struct fy_token *token, struct yaml_node *node)
{
    struct yaml_document *document = builder->document;

    if (token == NULL)
        return;
    void *grown = reallocarray(document->anchors, document->anchor_count + 1,
                               sizeof *document->anchors);
    if (grown == NULL) {
        builder->failed = true;
        return;
    }
    document->anchors = grown;
    document->anchors[document->anchor_count++] =
        (struct anchor){.name = token_text(token), .node = node};
}

static void on_alias(struct builder *builder, struct fy_token *token, const struct fy_mark *mark)
{
    struct yaml_document *document = builder->document;
    _cleanup_free_ char *name = token_text(token);

    for (size_t i = document->anchor_count; name != NULL && i-- > 0;) {
        if (document->anchors[i].name == NULL || strcmp(document->anchors[i].name, name) != 0)
            continue;
        /* An anchor that is still open would make a circle. */
        for (unsigned j = 0; j < builder->depth; j++)
            if (builder->stack[j] == document->anchors[i].node) {
                diagnose(builder, "invalid_alias", mark, NULL, "the alias \"%s\" contains itself",
                         name);
                return;
            }
        place(builder, document->anchors[i].node, mark);
        return;
    }
    diagnose(builder, "invalid_alias", mark, NULL, "there is no anchor for the alias \"%s\"",
             name == NULL ? "" : name);
}

static void on_scalar(struct builder *builder, struct fy_event *event, const struct fy_mark *mark)
{
    struct yaml_node *node = new_node(builder, YAML_SCALAR, mark);

    if (node == NULL)
        return;
    node->text = token_text(event->scalar.value);
    node->plain = event->scalar.value == NULL ||
                  fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
    if (node->text == NULL) {
        diagnose(builder, "out_of_memory", mark, NULL, "%s", "out of memory");
        return;
    }
    remember_anchor(builder, event->scalar.anchor, node);
    place(builder, node, mark);
}

static void on_start(struct builder *builder, enum yaml_kind kind, struct fy_token *anchor,
                     const struct fy_mark *mark)
{
    struct yaml_node *node = new_node(builder, kind, mark);

    if (node == NULL)
        return;
    if (builder->depth == YAML_MAXIMUM_DEPTH) {
        diagnose(builder, "too_deep", mark, NULL, "%s",
                 "the file is nested too deeply; 64 levels are allowed");
        return;
    }
    remember_anchor(builder, anchor, node);
    place(builder, node, mark);
    builder->pending_key[builder->depth] = NULL;
    builder->stack[builder->depth++] = node;
}

static void on_event(struct builder *builder, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);

    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (builder->document->root != NULL)
            diagnose(builder, "invalid_yaml", mark, NULL, "%s",
                     "the file has more than one document");
        break;
    case FYET_ALIAS:
        on_alias(builder, event->alias.anchor, mark);
        break;
    case FYET_SCALAR:
        on_scalar(builder, event, mark);
        break;
    case FYET_SEQUENCE_START:
        on_start(builder, YAML_SEQUENCE, event->sequence_start.anchor, mark);
        break;
    case FYET_MAPPING_START:
        on_start(builder, YAML_MAPPING, event->mapping_start.anchor, mark);
        break;
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        builder->depth--;
        break;
    default:
        break;
    }
}

/* libfyaml's own output: nowhere. What it has to say is collected. */
static void no_output(struct fy_diag *diag, void *user, const char *text, size_t length)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)length;
}

static void diagnose_parser(struct builder *builder, struct fy_diag *diag)
{
    void *cursor = NULL;
    const struct fy_diag_error *found = fy_diag_errors_iterate(diag, &cursor);
    struct fy_mark mark = {0};

    if (found != NULL) {
        /* libfyaml counts both from one here. */
        mark.line = found->line > 0 ? found->line - 1 : 0;
        mark.column = found->column > 0 ? found->column - 1 : 0;
    }
    diagnose(builder, "invalid_yaml", found == NULL ? NULL : &mark, NULL, "not valid YAML: %s",
             found == NULL || found->msg == NULL ? "cannot be parsed" : found->msg);
}

static void parse(struct builder *builder)
{
    const struct fy_diag_cfg diag_config = {.output_fn = no_output, .level = FYET_ERROR};
    struct fy_diag *diag = fy_diag_create(&diag_config);
    const struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_AUTO, .diag = diag};
    struct fy_parser *parser = NULL;

    if (diag != NULL) {
        fy_diag_set_collect_errors(diag, true);
        parser = fy_parser_create(&config);
    }
    if (parser == NULL || fy_parser_set_string(parser, builder->document->source,
                                               builder->document->source_length) < 0) {
        diagnose(builder, "out_of_memory", NULL, NULL, "%s", "libfyaml cannot start");
    } else {
        struct fy_event *event;
        while (!builder->failed && (event = fy_parser_parse(parser)) != NULL) {
            on_event(builder, event);
            fy_parser_event_free(parser, event);
        }
        if (!builder->failed && (fy_diag_got_error(diag) || fy_parser_get_stream_error(parser)))
            diagnose_parser(builder, diag);
    }
    if (parser != NULL)
        fy_parser_destroy(parser);
    fy_diag_destroy(diag);
}

/* libfyaml's scanner keeps a record for every level of flow nesting: bound it before it sees the text. Brackets in
 * comments and strings count, too, but not so many. */
static bool is_nested_absurdly(const char *text, size_t length, struct fy_mark *mark)
{
    int depth = 0, line = 0;
    size_t line_start = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        } else if (text[i] == '[' || text[i] == '{') {
            if (++depth > 16 * YAML_MAXIMUM_DEPTH) {
                *mark = (struct fy_mark){.line = line, .column = (int)(i - line_start)};
                return true;
            }
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static bool check_text(struct builder *builder)
{
    const struct yaml_document *document = builder->document;
    struct fy_mark mark;

    if (memchr(document->source, '\0', document->source_length) != NULL)
        diagnose(builder, "invalid_yaml", NULL, NULL, "%s",
                 "not a text file: it has NUL bytes");
    else if (!utf8_is_valid(document->source, document->source_length))
        diagnose(builder, "invalid_yaml", NULL, "save it as UTF-8", "%s", "not a UTF-8 text file");
    else if (is_nested_absurdly(document->source, document->source_length, &mark))
        diagnose(builder, "too_deep", &mark, NULL, "%s",
                 "the file is nested too deeply; 64 levels are allowed");
    return !builder->failed;
}

static int read_source(struct yaml_document *document, struct diagnostics *diagnostics)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    const struct source_location where = {.file = document->path};

    document->source =
        read_whole_file(document->path, YAML_MAXIMUM_BYTES, &document->source_length, &error);
    if (document->source != NULL)
        return 0;
    return diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "unreadable_file", &where, NULL, 0, NULL,
                           error.hint, "%s", error.message);
}

struct yaml_document *yaml_load(const char *path, struct diagnostics *diagnostics)
{
    struct yaml_document *document = calloc(1, sizeof *document);
    struct builder builder = {.document = document, .diagnostics = diagnostics};

    if (document == NULL || (document->path = strdup(path)) == NULL) {
        free(document);
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "out_of_memory", NULL, NULL, 0, NULL, NULL,
                        "out of memory");
        return NULL;
    }
    builder.failed = read_source(document, diagnostics) < 0;
    if (!builder.failed && check_text(&builder))
        parse(&builder);
    if (!builder.failed && (document->root == NULL || yaml_is_null(document->root)))
        diagnose(&builder, "empty_file", NULL, NULL, "%s", "the file is empty");
    if (!builder.failed)
        return document;
    yaml_free(document);
    return NULL;
}

void yaml_free(struct yaml_document *document)
{
    if (document == NULL)
        return;
    for (size_t i = 0; i < document->node_count; i++) {
        free(document->nodes[i]->text);
        free(document->nodes[i]->items);
        free(document->nodes[i]->keys);
        free(document->nodes[i]);
    }
    for (size_t i = 0; i < document->anchor_count; i++)
        free(document->anchors[i].name);
    free(document->anchors);
    free(document->nodes);
    free(document->source);
    free(document->path);
    free(document);
}

struct yaml_node *yaml_root(const struct yaml_document *document)
{
    return document->root;
}

const char *yaml_source(const struct yaml_document *document, size_t *length)
{
    *length = document->source_length;
    return document->source;
}

static size_t find_key(const struct yaml_node *node, const char *key)
{
    for (size_t i = 0; node != NULL && node->kind == YAML_MAPPING && i < node->count; i++)
        if (strcmp(node->keys[i]->text, key) == 0)
            return i;
    return (size_t)-1;
}

struct yaml_node *yaml_get(const struct yaml_node *node, const char *key)
{
    size_t found = find_key(node, key);

    return found == (size_t)-1 ? NULL : node->items[found];
}

struct yaml_node *yaml_get_key(const struct yaml_node *node, const char *key)
{
    size_t found = find_key(node, key);

    return found == (size_t)-1 ? NULL : node->keys[found];
}

/* Typing. */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};

    return node != NULL && node->kind == YAML_SCALAR && node->plain && is_one_of(node->text, nulls);
}

static const char *const truths[] = {"true", "True", "TRUE", "yes", "Yes",
                                     "YES",  "on",   "On",   "ON",  NULL};
static const char *const lies[] = {"false", "False", "FALSE", "no", "No",
                                   "NO",    "off",   "Off",   "OFF", NULL};

/* 1: *value is set; 0: it is no integer, or beyond 64 bits. */
static int parse_integer(const char *text, json_object **value)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    const char *allowed = "0123456789";
    int base = 10;
    char *end;

    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
        base = digits[1] == 'x' ? 16 : 8;
        allowed = digits[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567";
        digits += 2;
    }
    if (digits[0] == '\0' || strspn(digits, allowed) != strlen(digits) ||
        (base == 10 && digits[0] == '0' && digits[1] != '\0'))
        return 0;
    errno = 0;
    unsigned long long number = strtoull(digits, &end, base);
    if (errno != 0)
        return 0;
    if (text[0] == '-' && number > (unsigned long long)INT64_MAX + 1)
        return 0;
    if (text[0] == '-')
        *value = json_object_new_int64((int64_t)(0 - number));
    else
        *value = number > INT64_MAX ? json_object_new_uint64(number)
                                    : json_object_new_int64((int64_t)number);
    return 1;
}

static int parse_float(const char *text, json_object **value)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    size_t length = strlen(digits);
    char *end;

    if (length == 0 || strspn(digits, "0123456789.eE+-") != length ||
        strpbrk(digits, "0123456789") == NULL || strpbrk(digits, ".eE") == NULL ||
        strchr("0123456789.", digits[0]) == NULL)
        return 0;
    double number = strtod(text, &end);
    if (*end != '\0' || !isfinite(number))
        return 0;
    /* Keeps the text as it was written. */
    *value = json_object_new_double_s(number, text[0] == '+' ? text + 1 : text);
    return 1;
}

static json_object *scalar_to_json(const struct yaml_node *node, bool *ok)
{
    json_object *value = NULL;

    if (yaml_is_null(node))
        return NULL;
    if (node->plain && is_one_of(node->text, truths))
        value = json_object_new_boolean(1);
    else if (node->plain && is_one_of(node->text, lies))
        value = json_object_new_boolean(0);
    else if (!node->plain ||
             (parse_integer(node->text, &value) == 0 && parse_float(node->text, &value) == 0))
        value = json_object_new_string(node->text);
    if (value == NULL)
        *ok = false;
    return value;
}

const char *yaml_string(const struct yaml_node *node)
{
    bool ok = true;

    if (node == NULL || node->kind != YAML_SCALAR || yaml_is_null(node))
        return NULL;
    if (!node->plain)
        return node->text;
    _cleanup_json_ json_object *value = scalar_to_json(node, &ok);
    return json_object_is_type(value, json_type_string) ? node->text : NULL;
}

static json_object *to_json(const struct yaml_node *node, size_t *budget, bool *ok)
{
    json_object *result;

    if (*budget == 0) {
        *ok = false;
        return NULL;
    }
    --*budget;
    if (node->kind == YAML_SCALAR)
        return scalar_to_json(node, ok);
    result = node->kind == YAML_SEQUENCE ? json_object_new_array() : json_object_new_object();
    if (result == NULL)
        *ok = false;
    for (size_t i = 0; *ok && i < node->count; i++) {
        json_object *item = to_json(node->items[i], budget, ok);
        int failed = node->kind == YAML_SEQUENCE
                         ? json_object_array_add(result, item)
                         : json_object_object_add(result, node->keys[i]->text, item);
        if (failed < 0) {
            json_object_put(item);
            *ok = false;
        }
    }
    return result;
}

json_object *yaml_to_json(const struct yaml_node *node, bool *ok)
{
    size_t budget = YAML_MAXIMUM_NODES;

    *ok = true;
    json_object *result = to_json(node, &budget, ok);
    if (*ok)
        return result;
    json_object_put(result);
    return NULL;
}
