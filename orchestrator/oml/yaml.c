/* YAML files: reading, checking and look-up; see yaml.h. */
#include "orchestrator/oml/yaml.h"

#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "orchestrator/oml/pipeline.h"
#include "core/base/utf8.h"
#include "orchestrator/oml/yaml-build.h"
#include "orchestrator/oml/yaml-document.h"

/* libfyaml's scanner keeps a record for every level of flow nesting, so it is bounded before parsing. Brackets in
 * comments and strings count, too, but the limit allows for them. */
static bool is_nested_absurdly(const char *text, size_t length, struct source_location *where)
{
    unsigned depth = 0, line = 1;
    size_t line_start = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        } else if (text[i] == '[' || text[i] == '{') {
            if (++depth > 16 * YAML_MAXIMUM_DEPTH) {
                where->line = line;
                where->column = (unsigned)(i - line_start) + 1;
                return true;
            }
        } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* The first line that is not UTF-8. */
static unsigned first_invalid_line(const char *text, size_t length)
{
    const char *end = text + length;
    unsigned line = 1;

    for (const char *stop; (stop = memchr(text, '\n', (size_t)(end - text))) != NULL; line++) {
        if (!utf8_is_valid(text, (size_t)(stop - text)))
            break;
        text = stop + 1;
    }
    return line;
}

static bool is_utf16(const char *text, size_t length)
{
    return length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

/* YAML allows no control characters except tabs and line breaks; libfyaml accepts some. */
static bool has_control_character(const char *text, size_t length, struct source_location *where)
{
    unsigned line = 1, column = 1;

    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
            where->line = line;
            where->column = column;
            return true;
        }
        column = c == '\n' ? 1 : column + ((c & 0xc0) != 0x80);
        line += c == '\n';
    }
    return false;
}

/* Checks before libfyaml sees the text. */
static int check_text(const struct yaml_document *document, struct diagnostics *diagnostics)
{
    const char *text = document->source;
    size_t length = document->source_length;
    struct source_location where = {.file = document->path};

    if (is_utf16(text, length)) {
        yaml_problem(document, diagnostics, "invalid_encoding", NULL, "save it as UTF-8",
                     "the file is UTF-16, not UTF-8");
    } else if (memchr(text, '\0', length) != NULL) {
        yaml_problem(document, diagnostics, "invalid_encoding", NULL, NULL,
                     "not a text file: it contains NUL bytes");
    } else if (!utf8_is_valid(text, length)) {
        /* Its bytes cannot be shown. */
        where.line = first_invalid_line(text, length);
        where.column = 1;
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "invalid_encoding", &where, NULL, 0, NULL,
                        "save it as UTF-8", "the line is not UTF-8");
    } else if (has_control_character(text, length, &where)) {
        yaml_problem(document, diagnostics, "invalid_yaml", &where,
                     "write it in double quotes as \"\\x1b\"",
                     "a control character is not allowed");
    } else if (is_nested_absurdly(text, length, &where)) {
        yaml_problem(document, diagnostics, "too_deep", &where, NULL,
                     "the file is nested too deeply; %d levels are allowed", YAML_MAXIMUM_DEPTH);
    } else {
        return 0;
    }
    return -1;
}

/* Reading. */

/* The diagnostic type of a file that could not be read. */
static const char *failure_type(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno == ENOENT || errno == ENOTDIR ? "missing_file" : "unreadable_file";
    if (!S_ISREG(status.st_mode))
        return "not_a_file";
    return (uintmax_t)status.st_size > YAML_MAXIMUM_BYTES ? "too_large" : "unreadable_file";
}

static int read_source(struct yaml_document *document, struct diagnostics *diagnostics)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    const struct source_location where = {.file = document->path};

    document->source =
        read_whole_file(document->path, YAML_MAXIMUM_BYTES, &document->source_length, &error);
    if (document->source != NULL)
        return 0;
    return diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, failure_type(document->path), &where,
                           NULL, 0, NULL, error.hint, "%s", error.message);
}

struct yaml_document *yaml_load(const char *path, struct diagnostics *diagnostics)
{
    struct yaml_document *document = calloc(1, sizeof *document);

    document->path = strdup(path);
    if (read_source(document, diagnostics) == 0 && check_text(document, diagnostics) == 0 &&
        yaml_build(document, diagnostics) == 0) {
        if (document->root != NULL && !yaml_is_null(document->root))
            return document;
        yaml_problem(document, diagnostics, "empty_file", NULL, NULL, "the file is empty");
    }
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
    free(document->nodes);
    free(document->source);
    free(document->path);
    free(document);
}

/* Look-up. */

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

struct source_location yaml_position_of(const struct yaml_document *document,
                                        const struct yaml_node *scalar, const char *part)
{
    struct source_location where = scalar->where;

    if (scalar->kind != YAML_SCALAR || scalar->start >= scalar->end ||
        scalar->end > document->source_length)
        return where;
    const char *start = document->source + scalar->start;
    const char *found = memmem(start, scalar->end - scalar->start, part, strlen(part));
    if (found == NULL)
        return where;
    for (const char *at = start; at < found; at++) {
        if (*at == '\n') {
            where.line++;
            where.column = 1;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            where.column++;
        }
    }
    return where;
}
