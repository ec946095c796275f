/* Paths; see absolute-path.h. */
#include "core/base/absolute-path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/memory.h"

char *absolute_path(const char *folder, const char *path)
{
    /* "." and what begins with it */
    while (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))
        path += path[1] == '/' ? 2 : 1;
    _cleanup_free_ char *here = path[0] == '/' ? NULL : folder != NULL ? strdup(folder) : getcwd(NULL, 0);

    return memory_format("%s%s%s", here == NULL ? "" : here, here == NULL || path[0] == '\0' ? "" : "/", path);
}
