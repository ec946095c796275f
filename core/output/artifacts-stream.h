/*
 * A step's artifacts as one stream of bytes, from a place that does not have osiris's files (docs/protocol.md, "Artifacts"). Both sides
 * hold no more than a block of a file in memory.
 */
#ifndef OSIRIS_CORE_OUTPUT_ARTIFACTS_STREAM_H
#define OSIRIS_CORE_OUTPUT_ARTIFACTS_STREAM_H

#include <json-c/json.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/output/artifacts.h"

#define ARTIFACTS_HEAD 17 /* of an entry: type (1 byte), length of the path (4), mode (4), size (8), big-endian */
#define ARTIFACTS_PATH_MAXIMUM 4096
#define ARTIFACTS_DEEPEST 64

/* The types of entries. */
#define ARTIFACTS_FOLDER 'd' /* its path */
#define ARTIFACTS_FILE 'f'   /* its path, `size` bytes, 'y' or 'n' (it is to be dropped), and the hash in FINGERPRINT_SIZE - 1 digits */
#define ARTIFACTS_LINK 'l'   /* its path, and its target of `size` bytes */
#define ARTIFACTS_END 'e'    /* nothing follows */

struct artifacts_sink {
    int (*write)(void *context, const void *bytes, size_t length); /* -1: there is no more to be done */
    void *context;
};

/* Writes what is in the swept folder, but for the entries in `known` (folder_entries; NULL: all). A file that cannot be read or that changes
 * meanwhile is left out and reported. -1: the sink has failed. */
int artifacts_pack(const char *folder, json_object *known, const struct artifacts_sink *sink, artifacts_report *report, void *context);

/* Makes files, folders and links in the folder (which is created) of what arrives. A file appears when it is complete and right; nothing is
 * made outside of the folder, whatever the stream says. */
struct artifacts_unpacker;
struct artifacts_unpacker *artifacts_unpack(const char *folder, struct osiris_error *error);
int artifacts_unpack_add(struct artifacts_unpacker *unpacker, const void *bytes, size_t length, struct osiris_error *error);
/* -1: the stream is not complete. */
int artifacts_unpack_end(struct artifacts_unpacker *unpacker, struct osiris_error *error);
void artifacts_unpack_free(struct artifacts_unpacker *unpacker);

#endif
