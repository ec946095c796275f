/*
 * What goes into a bundle, gathered from this machine. Every ELF object is checked (its architecture must be the
 * worker's), and what it says of its needs is noted. Paths in a bundle consist of ASCII letters, digits and ._+-@~=,#
 * and blanks, so that they need no quoting in lists and scripts.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_CONTENTS_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_CONTENTS_H

#include <json-c/json.h>

#include "core/base/error.h"
#include "orchestrator/bundle/archive.h"

struct contents {
    struct archive archive;
    char *loader;              /* the dynamic loader's path on this machine */
    char architecture[24];     /* the worker's; "" before it is added */
    unsigned kernel[3];        /* the oldest Linux that all objects run on; 0.0.0: they do not say */
    json_object *sources;      /* {path in the bundle: path on this machine} */
    json_object *stripped;     /* {path: null} */
    json_object *run_paths;    /* [path]: objects that name folders in which their libraries are looked for */
    json_object *environment;  /* {variable: path in the bundle} */
    json_object *drivers;      /* [{file, components}] */
    json_object *packages;     /* {name: null}: packages that drivers say they need */
    json_object *warnings;     /* [text] */
};

void contents_init(struct contents *contents);
void contents_clear(struct contents *contents);
#define _cleanup_contents_ _cleanup_(contents_clear)

enum {
    CONTENTS_EXECUTABLE = 1,
    CONTENTS_STRIP = 2, /* elf_strip */
};

/* Adds a file of this machine. It may be there already, from the same file. */
int contents_add_file(struct contents *contents, const char *path, const char *source, int flags, struct osiris_error *error);
int contents_add_text(struct contents *contents, const char *path, const char *text, int flags, struct osiris_error *error);

/* Notes that a path, of a folder say, belongs to this file or folder; contents_path gives it to no other one. */
void contents_claim(struct contents *contents, const char *path, const char *source);

/* FOLDER/NAME, or with a number in it if another file has that path. Free it. */
char *contents_path(const struct contents *contents, const char *folder, const char *name, const char *source);

/* Adds all libraries of a program or a shared object of this machine, as lib/NAME. `preload`: see libraries.h. */
int contents_add_libraries(struct contents *contents, const char *source, const char *preload, struct osiris_error *error);

/* The worker is started with this variable, which leads to a path in the bundle. */
int contents_set_variable(struct contents *contents, const char *name, const char *path, struct osiris_error *error);

void contents_warn(struct contents *contents, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
