/* Environment variables in files; see variables.h. */
#include "orchestrator/oml/variables.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/buffer.h"
#include "core/base/memory.h"
#include "core/base/redact.h"
#include "core/base/utf8.h"
#include "core/plugin/schema.h"

#define DOTENV_MAXIMUM (1u << 20)
#define VALUE_MAXIMUM (1u << 20)

struct variables {
    json_object *values; /* {NAME: value} of the .env files */
    json_object *origins; /* {NAME: "path:line"} */
};

/* .env files. */

/* One line: NAME=value, perhaps with `export`, quotes, or a comment after it. */
static void read_line(struct variables *variables, const char *origin, char *line)
{
    char *name = line + strspn(line, " \t");

    if (strncmp(name, "export ", 7) == 0)
        name += 7 + strspn(name + 7, " \t");
    char *equals = strchr(name, '=');
    if (*name == '#' || equals == NULL)
        return;
    *equals = '\0';
    for (char *end = equals; end > name && isblank((unsigned char)end[-1]); end--)
        end[-1] = '\0';
    char *value = equals + 1 + strspn(equals + 1, " \t");
    if (*value == '"' || *value == '\'') {
        char *close = strchr(value + 1, *value);
        if (close == NULL)
            return;
        *close = '\0';
        value++;
    } else {
        char *comment = strstr(value, " #");
        if (comment != NULL)
            *comment = '\0';
        for (size_t length = strlen(value); length > 0 && isspace((unsigned char)value[length - 1]);)
            value[--length] = '\0';
    }
    if (*name == '\0')
        return;
    json_add_string(variables->values, name, value);
    json_add_string(variables->origins, name, origin);
}

static void read_dotenv(struct variables *variables, const char *folder, int folder_length, const char *name)
{
    _cleanup_free_ char *path = memory_format("%.*s%s", folder_length, folder, name);
    size_t length;
    unsigned line = 1;

    _cleanup_free_ char *text = read_whole_file(path, DOTENV_MAXIMUM, &length, NULL);
    for (char *at = text; at != NULL; line++) {
        char *start = at, *end = at + strcspn(at, "\r\n");
        at = *end == '\0' ? NULL : end + (end[0] == '\r' && end[1] == '\n' ? 2 : 1);
        *end = '\0';
        _cleanup_free_ char *origin = memory_format("%s:%u", path, line);
        read_line(variables, origin, start);
    }
}

struct variables *variables_load(const char *path)
{
    struct variables *variables = calloc(1, sizeof *variables);
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : (int)(slash - path) + 1;

    variables->values = json_object_new_object();
    variables->origins = json_object_new_object();
    read_dotenv(variables, path, length, "testing_env/.env");
    read_dotenv(variables, path, length, ".env");
    return variables;
}

void variables_free(struct variables *variables)
{
    if (variables == NULL)
        return;
    json_object_put(variables->values);
    json_object_put(variables->origins);
    free(variables);
}

/* Substitution. */

struct filling {
    const struct variables_reader *reader;
    const struct yaml_node *node;
    struct buffer *text;
    bool any; /* it has variables */
};

static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    while (isalnum((unsigned char)*name) || *name == '_')
        name++;
    return *name == '\0';
}

/* The variable's value, NULL if it is not set. *origin: the file and line that define it; NULL: the environment. */
static const char *value_of(const struct variables *variables, const char *name, const char **origin)
{
    const char *value = getenv(name);

    *origin = NULL;
    if (value != NULL)
        return value;
    *origin = json_member_string(variables->origins, name, NULL);
    return json_member_string(variables->values, name, NULL);
}

static bool invalid(const struct filling *filling, const char *hint, const char *what)
{
    yaml_diagnose(filling->reader->diagnostics, DIAGNOSTIC_ERROR, "invalid_variable", filling->reader->document,
                  &filling->node->where, NULL, hint, "%s", what);
    return false;
}

/* False: a problem was reported. */
static bool append(const struct filling *filling, const char *name, const char *value, const char *origin)
{
    const struct variables_reader *reader = filling->reader;

    if (value == NULL) {
        yaml_diagnose(reader->diagnostics, DIAGNOSTIC_ERROR, "unset_variable", reader->document, &filling->node->where, NULL,
                      "set it in the environment or in .env", "the environment variable %s is not set", name);
        return false;
    }
    if (!utf8_is_valid(value, strlen(value))) {
        yaml_diagnose(reader->diagnostics, DIAGNOSTIC_ERROR, "invalid_encoding", reader->document, &filling->node->where, NULL,
                      NULL, "the environment variable %s%s%s is not UTF-8", name, origin == NULL ? "" : ", set in ",
                      origin == NULL ? "" : origin);
        return false;
    }
    if (value[0] != '\0' && redact_key_is_secret(name))
        json_append(reader->secrets, json_string(value));
    buffer_append_text(filling->text, value);
    return true;
}

/* Substitutes one ${…}, whose content is `length` long. */
static bool fill_one(const struct filling *filling, const char *inside, size_t length)
{
    _cleanup_free_ char *name = strndup(inside, length);
    char *fallback = strstr(name, ":-");
    const char *origin;

    if (fallback != NULL) {
        *fallback = '\0';
        fallback += 2;
    }
    if (!is_name(name))
        return invalid(filling, "write ${NAME} or ${NAME:-default}",
                       "the text in a ${…} is not the name of an environment variable");
    const char *value = value_of(filling->reader->variables, name, &origin);
    /* As in the shell, the default also replaces an empty value. */
    if (fallback != NULL && (value == NULL || value[0] == '\0'))
        value = fallback;
    return append(filling, name, value, origin);
}

bool variables_is_one(const char *text)
{
    const char *end = strncmp(text, "${", 2) == 0 ? strchr(text, '}') : NULL;

    return end != NULL && end[1] == '\0';
}

/* The scalar's text. -1: a problem was reported. */
static int fill(struct filling *filling)
{
    const char *at = filling->node->text, *start;
    bool ok = true;

    while ((start = strstr(at, "${")) != NULL) {
        const char *end = strchr(start, '}');
        if (end == NULL) {
            (void)invalid(filling, "write ${NAME} or ${NAME:-default}", "a ${ is not closed");
            return -1;
        }
        filling->any = true;
        buffer_append(filling->text, at, (size_t)(start - at));
        ok &= fill_one(filling, start + 2, (size_t)(end - start) - 2);
        at = end + 1;
    }
    buffer_append_text(filling->text, at);
    if (ok && filling->text->failed)
        yaml_diagnose(filling->reader->diagnostics, DIAGNOSTIC_ERROR, "too_large", filling->reader->document,
                      &filling->node->where, NULL, NULL, "the value is too long with its variables substituted");
    return ok && !filling->text->failed ? 0 : -1;
}

/* Values. */

static void note_secret(const struct variables_reader *reader, const struct yaml_node *key, const char *text, bool literal)
{
    if (text[0] == '\0')
        return;
    json_append(reader->secrets, json_string(text));
    if (literal)
        yaml_diagnose(reader->diagnostics, DIAGNOSTIC_WARNING, "literal_secret", reader->document,
                      &(struct source_location){.file = key->where.file}, NULL,
                      "write ${VARIABLE} and set it in the environment", "the secret \"%s\" is written in plain text in %s (line %u)", key->text,
                      reader->file, key->where.line);
}

json_object *variables_scalar(const struct variables_reader *reader, const struct yaml_node *key, const struct yaml_node *node,
                              bool secret, bool plain)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(VALUE_MAXIMUM);
    struct filling filling = {.reader = reader, .node = node, .text = &text};

    if (fill(&filling) < 0)
        return NULL;
    if (secret && !yaml_is_null(node)) {
        /* "0x10", "yes" and "1_0" may be passwords. */
        note_secret(reader, key, text.data, !filling.any);
        return json_string(text.data);
    }
    struct yaml_node typed = {.kind = YAML_SCALAR, .plain = plain, .text = text.data};
    return yaml_to_json(&typed);
}

/* Whether a schema allows a string. */
static bool takes_text(json_object *schema)
{
    json_object *type = json_member(schema, "type");

    if (type == NULL || json_object_is_type(type, json_type_string))
        return type == NULL || strcmp(json_object_get_string(type), "string") == 0;
    for (size_t i = 0; i < json_array_count(type); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(type, i)), "string") == 0)
            return true;
    return false;
}

static bool is_plain(const struct variables_value *value)
{
    const char *type = json_member_string(value->schema, "type", NULL);

    if (!variables_is_one(value->node->text) || json_member(value->schema, "type") == NULL)
        return value->node->plain;
    if (type != NULL && strcmp(type, "string") == 0)
        return false;
    return !takes_text(value->schema) || value->node->plain;
}

static json_object *read_scalar(const struct variables_reader *reader, const struct variables_value *value)
{
    bool plain = is_plain(value);
    json_object *result = variables_scalar(reader, value->key, value->node, value->secret, plain);

    if (!value->secret || !plain || takes_text(value->schema) || !json_object_is_type(result, json_type_string))
        return result;
    _cleanup_free_ char *text = strdup(json_object_get_string(result));
    const struct yaml_node typed = {.kind = YAML_SCALAR, .plain = true, .text = text};
    json_object_put(result);
    return yaml_to_json(&typed);
}

static bool is_listed(json_object *pointers, const char *pointer)
{
    for (size_t i = 0; i < json_array_count(pointers); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(pointers, i)), pointer) == 0)
            return true;
    return false;
}

/* The JSON pointer (RFC 6901) to the member `key` of the value at `pointer`. */
static char *pointer_in(const char *pointer, const char *key)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(VALUE_MAXIMUM);

    buffer_append_format(&text, "%s/", pointer);
    for (; *key != '\0'; key++)
        if (*key == '~' || *key == '/')
            buffer_append_text(&text, *key == '~' ? "~0" : "~1");
        else
            buffer_append_char(&text, *key);
    return text.failed ? strdup("") : buffer_steal(&text);
}

json_object *variables_entry(const struct variables_reader *reader, const struct variables_value *collection, size_t index)
{
    const struct yaml_node *node = collection->node;
    struct variables_value inner = {collection->key, node->items[index], NULL, NULL, collection->secret};
    _cleanup_free_ char *pointer = NULL;
    char number[24];

    if (node->kind == YAML_SEQUENCE) {
        snprintf(number, sizeof number, "%zu", index);
        inner.schema = json_member(collection->schema, "items");
    } else {
        inner.key = node->keys[index];
        inner.schema = schema_of_property(collection->schema, inner.key->text);
        inner.secret = inner.secret || redact_key_is_secret(inner.key->text);
    }
    if (collection->pointer != NULL && json_array_count(reader->pointers) > 0) {
        inner.pointer = pointer = pointer_in(collection->pointer, node->kind == YAML_SEQUENCE ? number : inner.key->text);
        inner.secret = inner.secret || is_listed(reader->pointers, pointer);
    }
    return variables_value(reader, &inner);
}

/* Trees are of a bounded height, see yaml.h. */
json_object *variables_value(const struct variables_reader *reader, const struct variables_value *value)
{
    const struct yaml_node *node = value->node;

    if (node->kind == YAML_SCALAR)
        return read_scalar(reader, value);
    json_object *result = node->kind == YAML_SEQUENCE ? json_object_new_array() : json_object_new_object();
    for (size_t i = 0; i < node->count; i++) {
        json_object *inner = variables_entry(reader, value, i);
        if (node->kind == YAML_SEQUENCE)
            json_append(result, inner);
        else
            json_add(result, node->keys[i]->text, inner);
    }
    return result;
}
