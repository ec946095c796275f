/* Reading and writing durations; see duration.h. */
#include "orchestrator/oml/duration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double ms;
} units[] = {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 24 * 3600e3}};

static int set(double value, int64_t *ms)
{
    /* At least 1 ms, so that no timeout becomes zero; also false for NaN. */
    if (!(value > 0) || value > (double)DURATION_MAXIMUM_MS)
        return -1;
    *ms = (int64_t)ceil(value);
    return 0;
}

int duration_parse(const char *text, int64_t *ms)
{
    size_t digits = strspn(text, "0123456789.");
    char number[32];
    char *end;

    /* strtod alone would accept signs, blanks, exponents, "inf" and hexadecimal digits. */
    if (digits == 0 || digits >= sizeof number)
        return -1;
    memcpy(number, text, digits);
    number[digits] = '\0';
    double value = strtod(number, &end);
    if (*end != '\0')
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(text + digits, units[i].name) == 0)
            return set(value * units[i].ms, ms);
    return -1;
}

int duration_from_json(json_object *value, int64_t *ms)
{
    if (json_object_is_type(value, json_type_string))
        return duration_parse(json_object_get_string(value), ms);
    if (json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double))
        return set(json_object_get_double(value) * 1e3, ms);
    return -1;
}

const char *duration_text(int64_t ms, char text[DURATION_TEXT_SIZE])
{
    if (ms < 1000)
        snprintf(text, DURATION_TEXT_SIZE, "%lld ms", (long long)ms);
    else
        snprintf(text, DURATION_TEXT_SIZE, "%.10g s", (double)ms / 1e3);
    return text;
}
