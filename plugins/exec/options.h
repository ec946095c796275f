/* The options of a place, and the spec that describes them. */
#ifndef EXEC_OPTIONS_H
#define EXEC_OPTIONS_H

#include <osiris/host.h>
#include <stdbool.h>
#include <stddef.h>

extern const char options_spec[];

struct options {
    const char **command; /* the words before the shell, NULL-terminated; the array is owned, the words belong to the host */
    size_t count;
    const char **passed; /* names of more variables that the command gets, like the command */
    size_t passed_count;
    const char *shell, *folder; /* folder: NULL: the user's cache */
    bool keeps_bundle, shares_files;
    int connect_ms;
};

/* -1 after an error. */
int options_read(struct options *options, const struct osiris_host *host);
void options_clear(struct options *options);

#endif
