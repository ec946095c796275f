/* A subset of JSON Schema; see schema.h. */
#include "core/plugin/schema.h"

#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/redact.h"

#define MAXIMUM_DEPTH 32
#define LONGEST_SHOWN 60
#define LONGEST_MATCHED 4096
#define LONGEST_COMPARED 10000 /* items, each compared with each */

struct checker {
    schema_problem problem; /* NULL: only count */
    void *context;
    size_t problems;
    unsigned depth;
};

static void check(struct checker *checker, json_object *schema, json_object *value,
                  const char *pointer);

static void report(struct checker *checker, const char *pointer, const char *is, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* `is` is the actual value, as it may be shown, or NULL. */
static void report(struct checker *checker, const char *pointer, const char *is, const char *format,
                   ...)
{
    va_list arguments;

    checker->problems++;
    if (checker->problem == NULL)
        return;
    va_start(arguments, format);
    _cleanup_free_ char *message = memory_vformat(format, arguments);
    va_end(arguments);
    checker->problem(checker->context, pointer, message, is);
}

/* Whether a key on the path to the value is secret. */
static bool is_secret_place(const char *pointer)
{
    while (*pointer == '/') {
        size_t length = strcspn(++pointer, "/");
        _cleanup_free_ char *key = strndup(pointer, length);
        if (redact_key_is_secret(key))
            return true;
        pointer += length;
    }
    return false;
}

/* A value as it may be shown: short, and never that of a secret key or a collection that may contain one. */
static const char *shown(json_object *value, const char *pointer, char *room, size_t size)
{
    if (is_secret_place(pointer))
        return REDACT_MASK;
    if (json_object_is_type(value, json_type_object))
        return json_object_object_length(value) == 0 ? "{}" : "{…}";
    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) == 0 ? "[]" : "[…]";
    const char *text =
        value == NULL ? "null" : json_text(value, JSON_C_TO_STRING_PLAIN, NULL);
    size_t length = strlen(text), cut = length;
    if (length > LONGEST_SHOWN)
        for (cut = LONGEST_SHOWN; cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80; cut--)
            ; /* between characters */
    snprintf(room, size, "%.*s%s", (int)cut, text, cut < length ? "…" : "");
    return room;
}

static const char *type_name(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "a boolean";
    case json_type_int:
        return json_is_integer(value) ? "an integer" : "a number above 9223372036854775807";
    case json_type_double:
        return "a number";
    case json_type_string:
        return "a string";
    case json_type_array:
        return "a list";
    default:
        return "a mapping";
    }
}

static bool has_type(json_object *value, const char *type)
{
    enum json_type own = json_object_get_type(value);

    if (strcmp(type, "integer") == 0)
        return json_is_integer(value) ||
               (own == json_type_double &&
                json_object_get_double(value) == floor(json_object_get_double(value)) &&
                fabs(json_object_get_double(value)) < 9e15);
    if (strcmp(type, "number") == 0)
        return own == json_type_int || own == json_type_double;
    return (strcmp(type, "string") == 0 && own == json_type_string) ||
           (strcmp(type, "boolean") == 0 && own == json_type_boolean) ||
           (strcmp(type, "array") == 0 && own == json_type_array) ||
           (strcmp(type, "object") == 0 && own == json_type_object) ||
           (strcmp(type, "null") == 0 && own == json_type_null);
}

static bool check_type(struct checker *checker, json_object *schema, json_object *value,
                       const char *pointer)
{
    json_object *type = json_member(schema, "type");
    _cleanup_buffer_ struct buffer names = BUFFER_INIT(1024);
    char room[LONGEST_SHOWN + 8];

    if (type == NULL)
        return true;
    if (json_object_is_type(type, json_type_string)) {
        if (has_type(value, json_object_get_string(type)))
            return true;
        buffer_append_text(&names, json_object_get_string(type));
    }
    for (size_t i = 0; i < json_array_count(type); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(type, i));
        if (name != NULL && has_type(value, name))
            return true;
        buffer_append_format(&names, "%s%s", i > 0 ? " or " : "", name == NULL ? "?" : name);
    }
    _cleanup_free_ char *is = memory_format("%s: %s", type_name(value), shown(value, pointer, room, sizeof room));
    report(checker, pointer, is, "must be of type %s", names.data == NULL ? "?" : names.data);
    return false;
}

static void check_enum(struct checker *checker, json_object *schema, json_object *value,
                       const char *pointer)
{
    json_object *allowed = json_member(schema, "enum");
    json_object *constant = NULL;
    _cleanup_buffer_ struct buffer names = BUFFER_INIT(4096);
    char room[LONGEST_SHOWN + 8];
    size_t count = json_array_count(allowed);

    if (json_object_object_get_ex(schema, "const", &constant) &&
        !json_object_equal(constant, value))
        report(checker, pointer, NULL, "must be %s", json_text(constant, JSON_C_TO_STRING_SPACED, NULL));
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        json_object *item = json_object_array_get_idx(allowed, i);
        if (json_object_equal(item, value))
            return;
        buffer_append_format(&names, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ",
                             item == NULL ? "null" : json_object_get_string(item));
    }
    report(checker, pointer, shown(value, pointer, room, sizeof room), "must be %s",
           names.data == NULL ? "?" : names.data);
}

static void check_number(struct checker *checker, json_object *schema, json_object *value,
                         const char *pointer)
{
    static const struct {
        const char *keyword, *words;
        bool lower, exclusive;
    } limits[] = {
        {"minimum", "at least", true, false},
        {"maximum", "at most", false, false},
        {"exclusiveMinimum", "more than", true, true},
        {"exclusiveMaximum", "less than", false, true},
    };
    double number = json_object_get_double(value);
    char room[LONGEST_SHOWN + 8];

    if (!has_type(value, "number"))
        return;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        json_object *limit = json_member(schema, limits[i].keyword);
        if (limit == NULL)
            continue;
        double bound = json_object_get_double(limit);
        bool wrong = limits[i].lower ? number < bound : number > bound;
        if (wrong || (limits[i].exclusive && number == bound))
            report(checker, pointer, shown(value, pointer, room, sizeof room), "must be %s %s",
                   limits[i].words, json_object_get_string(limit));
    }
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static void check_pattern(struct checker *checker, const char *pattern, json_object *value,
                          const char *pointer)
{
    regex_t expression;
    char room[LONGEST_SHOWN + 8];

    /* A pattern's cost grows with the text: a text of that length is refused instead of checked. */
    if (json_object_get_string_len(value) > LONGEST_MATCHED) {
        report(checker, pointer, NULL, "is too long");
        return;
    }
    if (regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        report(checker, pointer, NULL, "cannot be checked: the schema's pattern is not valid");
        return;
    }
    if (regexec(&expression, json_object_get_string(value), 0, NULL, 0) != 0)
        report(checker, pointer, shown(value, pointer, room, sizeof room), "must match %s",
               pattern);
    regfree(&expression);
}

static void check_string(struct checker *checker, json_object *schema, json_object *value,
                         const char *pointer)
{
    if (!json_object_is_type(value, json_type_string))
        return;
    size_t length = characters(json_object_get_string(value));
    int64_t least = json_member_integer(schema, "minLength", 0);
    int64_t most = json_member_integer(schema, "maxLength", INT64_MAX);
    const char *pattern = json_member_string(schema, "pattern", NULL);
    char room[LONGEST_SHOWN + 8];

    if ((int64_t)length < least && length == 0)
        report(checker, pointer, NULL, "must not be empty");
    else if ((int64_t)length < least)
        report(checker, pointer, shown(value, pointer, room, sizeof room),
               "must have at least %lld character%s", (long long)least, least == 1 ? "" : "s");
    if ((int64_t)length > most)
        report(checker, pointer, shown(value, pointer, room, sizeof room),
               "must have at most %lld character%s", (long long)most, most == 1 ? "" : "s");
    if (pattern != NULL)
        check_pattern(checker, pattern, value, pointer);
}

static void check_inner(struct checker *checker, json_object *schema, json_object *value,
                        const char *pointer, const char *key)
{
    if (checker->depth >= MAXIMUM_DEPTH)
        return;
    _cleanup_free_ char *inner = memory_format("%s/%s", pointer, key);
    checker->depth++;
    check(checker, schema, value, inner);
    checker->depth--;
}

/* Compares each item with those before it. */
static void check_unique(struct checker *checker, json_object *value, const char *pointer)
{
    size_t count = json_array_count(value);
    char room[LONGEST_SHOWN + 8];

    if (count > LONGEST_COMPARED) {
        report(checker, pointer, NULL, "is too long");
        return;
    }
    for (size_t i = 1; i < count; i++) {
        json_object *item = json_object_array_get_idx(value, i);
        size_t before = 0;
        while (before < i && !json_object_equal(json_object_array_get_idx(value, before), item))
            before++;
        if (before == i)
            continue;
        _cleanup_free_ char *inner = memory_format("%s/%zu", pointer, i);
        report(checker, inner, shown(item, pointer, room, sizeof room), "must not appear twice");
    }
}

static void check_array(struct checker *checker, json_object *schema, json_object *value,
                        const char *pointer)
{
    json_object *items = json_member(schema, "items");
    size_t count = json_array_count(value);
    int64_t least = json_member_integer(schema, "minItems", 0);
    int64_t most = json_member_integer(schema, "maxItems", INT64_MAX);
    char index[24];

    if (!json_object_is_type(value, json_type_array))
        return;
    if ((int64_t)count < least)
        report(checker, pointer, NULL, "must have at least %lld item%s, has %zu",
               (long long)least, least == 1 ? "" : "s", count);
    if ((int64_t)count > most)
        report(checker, pointer, NULL, "must have at most %lld item%s, has %zu",
               (long long)most, most == 1 ? "" : "s", count);
    if (json_member_boolean(schema, "uniqueItems", false))
        check_unique(checker, value, pointer);
    for (size_t i = 0; items != NULL && i < count; i++) {
        snprintf(index, sizeof index, "%zu", i);
        check_inner(checker, items, json_object_array_get_idx(value, i), pointer, index);
    }
}

json_object *schema_of_property(json_object *schema, const char *name)
{
    json_object *own = json_member(json_member(schema, "properties"), name);
    json_object *additional = json_member(schema, "additionalProperties");

    return own != NULL || !json_object_is_type(additional, json_type_object) ? own : additional;
}

static void check_object(struct checker *checker, json_object *schema, json_object *value,
                         const char *pointer)
{
    json_object *required = json_member(schema, "required");
    json_object *additional = json_member(schema, "additionalProperties");

    if (!json_object_is_type(value, json_type_object))
        return;
    for (size_t i = 0; i < json_array_count(required); i++) {
        const char *key = json_object_get_string(json_object_array_get_idx(required, i));
        if (key != NULL && !json_object_object_get_ex(value, key, NULL))
            report(checker, pointer, NULL, "needs \"%s\"", key);
    }
    json_object_object_foreach(value, key, member)
    {
        json_object *inner = schema_of_property(schema, key);
        if (inner != NULL)
            check_inner(checker, inner, member, pointer, key);
        else if (additional != NULL && !json_object_get_boolean(additional))
            report(checker, pointer, NULL, "has no option \"%s\"", key);
    }
}

static bool matches(json_object *schema, json_object *value, unsigned depth)
{
    struct checker silent = {.depth = depth + 1};

    if (depth >= MAXIMUM_DEPTH)
        return false;
    check(&silent, schema, value, "");
    return silent.problems == 0;
}

static void check_alternatives(struct checker *checker, json_object *schema, json_object *value,
                               const char *pointer)
{
    json_object *one = json_member(schema, "oneOf"), *any = json_member(schema, "anyOf");
    json_object *list = one != NULL ? one : any;
    size_t count = json_array_count(list), fitting = 0;
    _cleanup_buffer_ struct buffer wanted = BUFFER_INIT(4096);

    for (size_t i = 0; i < count; i++) {
        json_object *alternative = json_object_array_get_idx(list, i);
        json_object *required = json_member(alternative, "required");
        fitting += matches(alternative, value, checker->depth);
        for (size_t j = 0; j < json_array_count(required); j++)
            buffer_append_format(&wanted, "%s\"%s\"", wanted.length == 0 ? "" : j > 0 ? " with " : " or ",
                                 json_object_get_string(json_object_array_get_idx(required, j)));
    }
    if (count == 0 || (fitting == 1) || (one == NULL && fitting > 0))
        return;
    const char *words = wanted.length == 0 ? "one of its alternatives" : wanted.data;
    if (fitting == 0)
        report(checker, pointer, NULL, "needs %s", words);
    else
        report(checker, pointer, NULL, "needs only one of %s", words);
}

static void check(struct checker *checker, json_object *schema, json_object *value,
                  const char *pointer)
{
    if (!json_object_is_type(schema, json_type_object) ||
        !check_type(checker, schema, value, pointer))
        return;
    check_enum(checker, schema, value, pointer);
    check_number(checker, schema, value, pointer);
    check_string(checker, schema, value, pointer);
    check_array(checker, schema, value, pointer);
    check_object(checker, schema, value, pointer);
    check_alternatives(checker, schema, value, pointer);
}

size_t schema_check(json_object *schema, json_object *value, schema_problem problem, void *context)
{
    struct checker checker = {.problem = problem, .context = context};

    check(&checker, schema, value, "");
    return checker.problems;
}

static void fill_defaults(json_object *schema, json_object *value, unsigned depth)
{
    json_object *properties = json_member(schema, "properties");

    if (!json_object_is_type(properties, json_type_object) ||
        !json_object_is_type(value, json_type_object) || depth > MAXIMUM_DEPTH)
        return;
    json_object_object_foreach(properties, key, property)
    {
        json_object *fallback = json_member(property, "default"), *member = NULL;
        if (json_object_object_get_ex(value, key, &member))
            fill_defaults(property, member, depth + 1);
        else if (fallback != NULL)
            json_add(value, key, json_copy(fallback));
    }
}

void schema_fill_defaults(json_object *schema, json_object *value)
{
    fill_defaults(schema, value, 0);
}

static void first_problem(void *context, const char *pointer, const char *message, const char *is)
{
    struct osiris_error *error = context;

    if (error->category == 0)
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%s%s%s%s%s",
                         pointer[0] == '/' ? pointer + 1 : "", pointer[0] == '\0' ? "it " : " ",
                         message, is == NULL ? "" : ", is ", is == NULL ? "" : is);
}

int schema_check_value(json_object *schema, json_object *value, struct osiris_error *error)
{
    struct osiris_error own = OSIRIS_ERROR_INIT;

    if (schema_check(schema, value, first_problem, &own) == 0)
        return 0;
    osiris_error_move(error, &own);
    return -1;
}
