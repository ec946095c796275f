/* The types of plain scalars, and nodes as JSON; see yaml.h. */
#include <math.h>
#include <string.h>

#include "core/base/one-of.h"
#include "core/base/json-build.h"
#include "orchestrator/oml/yaml.h"

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};

    return node != NULL && node->kind == YAML_SCALAR && node->plain && is_one_of(node->text, nulls);
}

static const char *const truths[] = {"true", "True", "TRUE", "yes", "Yes",
                                     "YES",  "on",   "On",   "ON",  NULL};
static const char *const lies[] = {"false", "False", "FALSE", "no", "No",
                                   "NO",    "off",   "Off",   "OFF", NULL};

/* 1: *value is set; 0: not an integer, or beyond 64 bits. */
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

static const char *skip_digits(const char *at)
{
    return at + strspn(at, "0123456789");
}

/* YAML has more forms of a number than JSON: .5, 1., 01.5 */
static bool is_json_number(const char *text)
{
    const char *at = text + (text[0] == '-');
    const char *end = skip_digits(at);

    if (end == at || (at[0] == '0' && end > at + 1))
        return false;
    if (*end == '.') {
        at = end + 1;
        end = skip_digits(at);
        if (end == at)
            return false;
    }
    if (*end == 'e' || *end == 'E') {
        at = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(at);
        if (end == at)
            return false;
    }
    return *end == '\0';
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
    /* Keeps the text as it was written, if it is valid JSON. */
    text += text[0] == '+';
    *value = is_json_number(text) ? json_object_new_double_s(number, text)
                                  : json_object_new_double(number);
    return 1;
}

static json_object *scalar_to_json(const struct yaml_node *node)
{
    json_object *value = NULL;

    if (yaml_is_null(node))
        return NULL;
    if (node->plain && is_one_of(node->text, truths))
        return json_object_new_boolean(1);
    if (node->plain && is_one_of(node->text, lies))
        return json_object_new_boolean(0);
    if (!node->plain || (parse_integer(node->text, &value) == 0 && parse_float(node->text, &value) == 0))
        return json_string(node->text);
    return value;
}

const char *yaml_string(const struct yaml_node *node)
{
    if (node == NULL || node->kind != YAML_SCALAR || yaml_is_null(node))
        return NULL;
    if (!node->plain)
        return node->text;
    _cleanup_json_ json_object *value = scalar_to_json(node);
    return json_object_is_type(value, json_type_string) ? node->text : NULL;
}

/* yaml_load ensures that a tree is at most YAML_MAXIMUM_DEPTH high, and not too heavy with its aliases expanded. */
json_object *yaml_to_json(const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR)
        return scalar_to_json(node);
    json_object *result = node->kind == YAML_SEQUENCE ? json_object_new_array() : json_object_new_object();
    for (size_t i = 0; i < node->count; i++) {
        json_object *item = yaml_to_json(node->items[i]);
        if (node->kind == YAML_SEQUENCE)
            json_append(result, item);
        else
            json_add(result, node->keys[i]->text, item);
    }
    return result;
}
