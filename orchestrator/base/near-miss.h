/* Suggestions for a name that was mistyped. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_NEAR_MISS_H
#define OSIRIS_ORCHESTRATOR_BASE_NEAR_MISS_H

#include <stddef.h>

/* Picks the candidates nearest to `wanted` (edit distance with swaps, within a third of its length; or one is
 * a part of the other), nearest first; never `wanted` itself or an empty one. Returns how many were put into `out`. All borrowed. */
size_t near_miss(const char *wanted, const char *const *candidates, size_t count, const char **out,
                 size_t maximum);

/* "did you mean \"a\" or \"b\"?", NULL if nothing is near, or only what is too long. Free it. */
char *near_miss_question(const char *wanted, const char *const *candidates, size_t count);

#endif
