/* Checking specs; see spec-check.h. */
#include "core/plugin/spec-check.h"

#include <ctype.h>
#include <osiris/driver.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/json-access.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/base/one-of.h"
#include "core/plugin/schema.h"

#define NAME_MAXIMUM 63
#define SCHEMA_MAXIMUM_DEPTH 32

/* Each function returns NULL, or what is wrong: ": " and a text, which its callers prefix with the position. */

/* Takes `inner`. */
static char *within(const char *where, char *inner)
{
    if (inner == NULL)
        return NULL;
    char *text = memory_format("%s%s%s", where, inner[0] == ':' ? "" : "/", inner);
    free(inner);
    return text;
}

static char *problem(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *problem(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *text = memory_vformat(format, arguments);
    va_end(arguments);
    return memory_format(": %s", text);
}

static char *within_item(size_t index, char *inner)
{
    char where[24];

    snprintf(where, sizeof where, "%zu", index);
    return within(where, inner);
}

static bool names_one_of(json_object *value, const char *const *names)
{
    return json_object_is_type(value, json_type_string) && is_one_of(json_object_get_string(value), names);
}

/* Checks every item with a function. NULL (also JSON's null) means that there is no list, which is valid. */
static char *check_list(json_object *list, char *(*check)(json_object *item))
{
    if (list == NULL)
        return NULL;
    if (!json_object_is_type(list, json_type_array))
        return problem("it is not a list");
    for (size_t i = 0; i < json_array_count(list); i++) {
        char *wrong = check(json_object_array_get_idx(list, i));
        if (wrong != NULL)
            return within_item(i, wrong);
    }
    return NULL;
}

/* Schemas. */

static char *check_schema(json_object *schema, unsigned depth);

static char *check_type_name(json_object *name)
{
    static const char *const types[] = {"string", "integer", "number", "boolean",
                                        "array",  "object",  "null",   NULL};

    return names_one_of(name, types)
               ? NULL
               : problem("there is no type %s",
                         json_text(name, JSON_C_TO_STRING_PLAIN, NULL));
}

static char *check_type(json_object *type)
{
    if (!json_object_is_type(type, json_type_array))
        return check_type_name(type);
    return json_array_count(type) == 0 ? problem("it is empty") : check_list(type, check_type_name);
}

static char *check_text(json_object *value)
{
    return json_object_is_type(value, json_type_string) ? NULL : problem("it is not a string");
}

static char *check_texts(json_object *value)
{
    return check_list(value, check_text);
}

static char *check_choices(json_object *value)
{
    return json_array_count(value) == 0 ? problem("it is not a list of values") : NULL;
}

static char *check_pattern(json_object *value)
{
    regex_t expression;
    char reason[128];

    if (!json_object_is_type(value, json_type_string))
        return problem("it is not a string");
    int wrong = regcomp(&expression, json_object_get_string(value), REG_EXTENDED | REG_NOSUB);
    if (wrong == 0) {
        regfree(&expression);
        return NULL;
    }
    regerror(wrong, &expression, reason, sizeof reason);
    return problem("\"%s\" is not a POSIX extended regular expression (%s)",
                   json_object_get_string(value), reason);
}

static char *check_number(json_object *value)
{
    return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
               ? NULL
               : problem("it is not a number");
}

static char *check_size(json_object *value)
{
    return json_is_integer(value) && json_object_get_int64(value) >= 0
               ? NULL
               : problem("it is not a whole number from 0 on");
}

static char *check_boolean(json_object *value)
{
    return json_object_is_type(value, json_type_boolean) ? NULL
                                                         : problem("it is not true or false");
}

static const struct {
    const char *keyword;
    char *(*check)(json_object *value);
} keywords[] = {
    {"type", check_type},
    {"enum", check_choices},
    {"pattern", check_pattern},
    {"minimum", check_number},
    {"maximum", check_number},
    {"exclusiveMinimum", check_number},
    {"exclusiveMaximum", check_number},
    {"minLength", check_size},
    {"maxLength", check_size},
    {"minItems", check_size},
    {"maxItems", check_size},
    {"uniqueItems", check_boolean},
    {"required", check_texts},
    {"description", check_text},
};

static char *check_members(json_object *members, unsigned depth)
{
    if (!json_object_is_type(members, json_type_object))
        return problem("it is not an object");
    json_object_object_foreach(members, key, member)
    {
        char *wrong = check_schema(member, depth);
        if (wrong != NULL)
            return within(key, wrong);
    }
    return NULL;
}

static char *check_alternatives(json_object *list, unsigned depth)
{
    if (json_array_count(list) == 0)
        return problem("it is not a list of schemas");
    for (size_t i = 0; i < json_array_count(list); i++) {
        char *wrong = check_schema(json_object_array_get_idx(list, i), depth);
        if (wrong != NULL)
            return within_item(i, wrong);
    }
    return NULL;
}

static char *check_keyword(const char *keyword, json_object *value, unsigned depth)
{
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (strcmp(keywords[i].keyword, keyword) == 0)
            return keywords[i].check(value);
    if (strcmp(keyword, "properties") == 0)
        return check_members(value, depth);
    if (strcmp(keyword, "items") == 0)
        return check_schema(value, depth);
    if (strcmp(keyword, "additionalProperties") == 0)
        return json_object_is_type(value, json_type_boolean) ? NULL : check_schema(value, depth);
    if (strcmp(keyword, "oneOf") == 0 || strcmp(keyword, "anyOf") == 0)
        return check_alternatives(value, depth);
    return NULL;
}

static char *check_schema(json_object *schema, unsigned depth)
{
    json_object *fallback = NULL;

    if (!json_object_is_type(schema, json_type_object))
        return problem("it is not a schema (an object)");
    if (depth >= SCHEMA_MAXIMUM_DEPTH)
        return problem("it is nested too deeply");
    json_object_object_foreach(schema, keyword, value)
    {
        char *wrong = check_keyword(keyword, value, depth + 1);
        if (wrong != NULL)
            return within(keyword, wrong);
    }
    if (json_object_object_get_ex(schema, "default", &fallback) && fallback != NULL &&
        schema_check(schema, fallback, NULL, NULL) > 0)
        return within("default", problem("it does not match its own schema"));
    return NULL;
}

static char *check_config_schema(json_object *schema)
{
    return check_schema(schema, 0);
}

/* The rest of the spec. */

static char *check_mode(json_object *mode)
{
    static const char *const modes[] = {"extract",  "write",   "load",   "transform",
                                        "discover", "analyze", "stream", NULL};

    return names_one_of(mode, modes)
               ? NULL
               : problem("there is no mode %s",
                         json_text(mode, JSON_C_TO_STRING_PLAIN, NULL));
}

static char *check_modes(json_object *modes)
{
    return json_array_count(modes) == 0 ? problem("it is not a list of modes")
                                        : check_list(modes, check_mode);
}

static char *check_pointer(json_object *pointer)
{
    return json_object_is_type(pointer, json_type_string) &&
                   json_object_get_string(pointer)[0] == '/'
               ? NULL
               : problem("it is not a JSON pointer such as \"/password\"");
}

static char *check_pointers(json_object *pointers)
{
    return check_list(pointers, check_pointer);
}

static char *check_field(json_object *field)
{
    static const char *const rules[] = {"allowed", "forbidden", "warning", NULL};
    json_object *rule = json_member(field, "override");

    if (json_member_string(field, "name", "")[0] == '\0')
        return problem("the field has no name");
    return rule == NULL || names_one_of(rule, rules)
               ? NULL
               : within("override", problem("it is not allowed, forbidden or warning"));
}

static char *check_fields(json_object *fields)
{
    return check_list(fields, check_field);
}

static char *check_option_name(json_object *name)
{
    return json_object_is_type(name, json_type_string) ? NULL : problem("it is not an option's name");
}

static char *check_output(json_object *output)
{
    json_object *options = json_member(output, "varied_by");

    if (json_member_string(output, "name", "")[0] == '\0')
        return problem("the option has no name");
    return options == NULL ? NULL : within("varied_by", check_list(options, check_option_name));
}

static char *check_outputs(json_object *outputs)
{
    return check_list(outputs, check_output);
}

static char *check_option_names(json_object *names)
{
    return check_list(names, check_option_name);
}

/* Relative to the driver's folder, or absolute. */
static char *check_runtime_path(const char *path)
{
    if (path[0] == '\0')
        return problem("the file has no path");
    for (const char *part = path; path[0] != '/' && part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        size_t length = strcspn(part, "/");
        if (length == 0 || (length <= 2 && strspn(part, ".") >= length))
            return problem("\"%s\" does not lead down from the driver's folder", path);
    }
    return NULL;
}

/* The dynamic loader's own could lead it to other libraries. */
static char *check_variable(json_object *name)
{
    const char *text = json_object_is_type(name, json_type_string) ? json_object_get_string(name) : "";

    if (text[0] == '\0' || isdigit((unsigned char)text[0]) || strncmp(text, "LD_", 3) == 0 ||
        text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
        return problem("it is not the name of a variable that may be set");
    return NULL;
}

static char *check_runtime_file(json_object *file)
{
    json_object *variable = json_member(file, "environment"), *optional = json_member(file, "optional");
    char *wrong = check_runtime_path(json_member_string(file, "path", ""));

    if (wrong == NULL && variable != NULL)
        wrong = within("environment", check_variable(variable));
    if (wrong == NULL && optional != NULL)
        wrong = within("optional", check_boolean(optional));
    return wrong;
}

static char *check_runtime(json_object *runtime)
{
    json_object *strip = json_member(runtime, "strip");

    if (!json_object_is_type(runtime, json_type_object))
        return problem("it is not an object");
    if (strip != NULL && !json_object_is_type(strip, json_type_boolean))
        return within("strip", check_boolean(strip));
    return within("files", check_list(json_member(runtime, "files"), check_runtime_file));
}

static char *check_constraint(json_object *constraint)
{
    json_object *when = json_member(constraint, "when"), *must = json_member(constraint, "must");

    if (when != NULL && !json_object_is_type(when, json_type_object))
        return within("when", problem("it is not an object"));
    if (!json_object_is_type(must, json_type_object))
        return within("must", problem("it is not an object of schemas"));
    return within("must", check_members(must, 0));
}

static char *check_constraints(json_object *constraints)
{
    if (!json_object_is_type(constraints, json_type_object))
        return problem("it is not an object");
    return within("required", check_list(json_member(constraints, "required"), check_constraint));
}

static const struct {
    const char *key;
    char *(*check)(json_object *value);
} parts[] = {
    {"title", check_text},
    {"description", check_text},
    {"modes", check_modes},
    {"configSchema", check_config_schema},
    {"secrets", check_pointers},
    {"x-secret", check_pointers},
    {"x-connection-fields", check_fields},
    {"x-output-files", check_outputs},
    {"x-connections", check_option_names},
    {"constraints", check_constraints},
    {"x-atomic", check_boolean},
    {"x-runtime", check_runtime},
};

char *spec_check(json_object *spec)
{
    if (!json_object_is_type(spec, json_type_object))
        return strdup("it is not a JSON object");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        json_object *value = NULL;
        char *wrong =
            json_object_object_get_ex(spec, parts[i].key, &value) ? parts[i].check(value) : NULL;
        if (wrong != NULL)
            return within(parts[i].key, wrong);
    }
    return NULL;
}

/* Modes that only drivers of one kind can have. */
static const struct {
    const char *mode;
    int kind;
} kinds[] = {
    {"extract", OSIRIS_EXTRACTOR},
    {"transform", OSIRIS_PROCESSOR},
    {"write", OSIRIS_WRITER},
    {"load", OSIRIS_WRITER},
};

char *spec_check_kind(json_object *spec, int kind)
{
    static const char *const names[] = {[OSIRIS_EXTRACTOR] = "an extractor", [OSIRIS_PROCESSOR] = "a processor",
                                        [OSIRIS_WRITER] = "a writer"};
    json_object *modes = json_member(spec, "modes");

    for (size_t i = 0; i < json_array_count(modes); i++) {
        const char *mode = json_object_get_string(json_object_array_get_idx(modes, i));
        for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++)
            if (strcmp(mode, kinds[j].mode) == 0 && kinds[j].kind != kind)
                return within("modes", within_item(i, problem("the driver is %s, which cannot %s", names[kind], mode)));
    }
    return NULL;
}

bool spec_name_is_valid(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_MAXIMUM || name[0] == '.' || name[length - 1] == '.')
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if (!(isascii(*c) && isalnum((unsigned char)*c)) && *c != '_' && *c != '-' &&
            !(*c == '.' && c[1] != '.'))
            return false;
    return true;
}
