/* Whether a NULL-terminated list contains a text. */
#ifndef OSIRIS_CORE_BASE_ONE_OF_H
#define OSIRIS_CORE_BASE_ONE_OF_H

#include <stdbool.h>
#include <string.h>

static inline bool is_one_of(const char *text, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

#endif
