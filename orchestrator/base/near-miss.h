/* Suggestions for a mistyped name. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_NEAR_MISS_H
#define OSIRIS_ORCHESTRATOR_BASE_NEAR_MISS_H

#include <stddef.h>

/* Finds the candidates nearest to `wanted` (by edit distance with swaps, up to a third of its length, or because one contains the
 * other), nearest first, but never `wanted` itself or an empty one. Returns the number in `out`. All are borrowed. */
size_t near_miss(const char *wanted, const char *const *candidates, size_t count, const char **out,
                 size_t maximum);

/* "did you mean \"a\" or \"b\"?", or NULL if nothing is near, or only names that are too long. Free it. */
char *near_miss_question(const char *wanted, const char *const *candidates, size_t count);

#endif
