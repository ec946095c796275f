/* The options of a place, as osiris.yaml gives them (docs/exec.md). */
#ifndef OSIRIS_EXEC_OPTIONS_H
#define OSIRIS_EXEC_OPTIONS_H

#include <osiris/host.h>
#include <stdbool.h>
#include <stddef.h>

struct options {
    char **command; /* its words, then the shell, then NULL; the array is owned, the words are the host's */
    size_t count;   /* without the shell */
    char **environment; /* of the command: NAME=value, borrowed from this process; NULL-terminated; the array is owned */
    const char *folder; /* NULL: the default */
    bool shares_files, keeps_bundle;
    int connect_ms;
};

extern const char options_spec[];

/* -1: reported. Clear them in any case. */
int options_read(struct options *options, const struct osiris_host *host);
void options_clear(struct options *options);

#endif
