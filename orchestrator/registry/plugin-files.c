/* Searching folders for plug-ins; see plugin-files.h. */
#include "orchestrator/registry/plugin-files.h"

#include <errno.h>
#include <string.h>

#define SUFFIX ".so"

char *plugin_folders_next(const char **list)
{
    while (*list != NULL && **list != '\0') {
        const char *folder = *list;
        size_t length = strcspn(folder, ":");
        *list += length + (folder[length] == ':');
        if (length > 0)
            return strndup(folder, length);
    }
    return NULL;
}

const char *plugin_files_next(DIR *folder, size_t *length)
{
    const struct dirent *entry;

    while (errno = 0, (entry = readdir(folder)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || size <= strlen(SUFFIX))
            continue;
        *length = size - strlen(SUFFIX);
        if (strcmp(entry->d_name + *length, SUFFIX) == 0)
            return entry->d_name;
    }
    return NULL;
}
