/* Kinds of drivers; see kind.h. */
#include "core/plugin/kind.h"

#include <osiris/driver.h>
#include <stddef.h>
#include <string.h>

static const struct {
    int kind;
    const char *name;
} kinds[] = {
    {OSIRIS_EXTRACTOR, "extractor"},
    {OSIRIS_PROCESSOR, "processor"},
    {OSIRIS_WRITER, "writer"},
};

const char *kind_name(int kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "unknown";
}

int kind_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return 0;
}
