/* Suggestions for a mistyped name; see near-miss.h. */
#include "orchestrator/base/near-miss.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/buffer.h"

#define LONGEST_NAME 64
#define FAR SIZE_MAX

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, changes, swaps of neighbours. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST_NAME + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    if (a_length > LONGEST_NAME || b_length > LONGEST_NAME)
        return FAR;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *now = rows[i % 3];
        const size_t *last = rows[(i + 2) % 3], *before_last = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = least(least(last[j] + 1, now[j - 1] + 1), change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before_last[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

static size_t distance(const char *wanted, const char *candidate)
{
    size_t length = strlen(wanted);

    /* Neither an empty name nor the same name is a useful suggestion. */
    if (candidate[0] == '\0' || strcmp(wanted, candidate) == 0)
        return FAR;
    size_t found = edit_distance(wanted, candidate);

    if (found <= length / 3 + 1 && found < length)
        return found;
    if (length >= 3 && (strstr(candidate, wanted) != NULL || strstr(wanted, candidate) != NULL))
        return length / 3 + 2;
    return FAR;
}

size_t near_miss(const char *wanted, const char *const *candidates, size_t count, const char **out,
                 size_t maximum)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        size_t near = distance(wanted, candidates[i]);
        size_t at = found;
        if (near == FAR)
            continue;
        while (at > 0 && distance(wanted, out[at - 1]) > near)
            at--;
        if (at >= maximum)
            continue;
        if (found < maximum)
            found++;
        for (size_t j = found - 1; j > at; j--)
            out[j] = out[j - 1];
        out[at] = candidates[i];
    }
    return found;
}

char *near_miss_question(const char *wanted, const char *const *candidates, size_t count)
{
    const char *near[3];
    size_t found = near_miss(wanted, candidates, count, near, 3);
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1024);

    if (found == 0)
        return NULL;
    buffer_append_text(&text, "did you mean ");
    for (size_t i = 0; i < found; i++)
        buffer_append_format(&text, "%s\"%s\"", i == 0 ? "" : i + 1 == found ? " or " : ", ",
                             near[i]);
    buffer_append_text(&text, "?");
    return buffer_steal(&text);
}
