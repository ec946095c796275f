/*
 * What a file says of itself as an ELF object, and a copy of it without what only debuggers need. Read with libelf from memory;
 * any bytes may be given.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_ELF_FILE_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"

struct elf_facts {
    char architecture[24]; /* as `uname -m` says it: "x86_64", "aarch64" */
    char interpreter[256]; /* the dynamic loader of a program; "" for a library */
    unsigned kernel[3];    /* the oldest Linux that it runs on (the note NT_GNU_ABI_TAG); 0.0.0: it does not say */
    bool has_run_path;     /* folders of its own in which its libraries are looked for (RPATH, RUNPATH) */
};

bool elf_is(const char *bytes, size_t length);

/* `path` is for messages only. -1: it is not an object that can be loaded. */
int elf_read(const char *path, const char *bytes, size_t length, struct elf_facts *facts, struct osiris_error *error);

/* Whether it asks for this library (DT_NEEDED). */
bool elf_needs(const char *bytes, size_t length, const char *library);

/* Cuts symbol table, debugging information and section headers off, none of which a program needs to run. Returns the
 * new length. A file without symbol table, or with anything behind its sections, keeps its bytes. */
size_t elf_strip(char *bytes, size_t length);

#endif
