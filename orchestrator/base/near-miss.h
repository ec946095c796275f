/* Suggestions for a mistyped name. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_NEAR_MISS_H
#define OSIRIS_ORCHESTRATOR_BASE_NEAR_MISS_H

#include <stddef.h>

/* Picks the candidates nearest to `wanted` (edit distance with swaps, within a third of its length; or one is
 * a part of the other), nearest first; never `wanted` itself or an empty one. Returns the number put into `out`. All borrowed. */
size_t near_miss(const char *wanted, const char *const *candidates, size_t count, const char **out,
                 size_t maximum);

/* "did you mean \"a\" or \"b\"?", or NULL if nothing is near, or only names that are too long. Free it. */
char *near_miss_question(const char *wanted, const char *const *candidates, size_t count);

#endif
