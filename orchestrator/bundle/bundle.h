/*
 * Bundles: osiris-worker, drivers, and everything that they need to run, in one archive that runs on any Linux of the same architecture
 * with nothing of its own (docs/bundle.md). The same inputs give the same bundle, and a bundle is known by its hash (pack.h). Several
 * threads may make bundles at once, also the same one.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_BUNDLE_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_BUNDLE_H

#include <json-c/json.h>

#include "core/base/error.h"
#include "core/base/fingerprint.h"
#include "orchestrator/registry/registry.h"

struct bundle_options {
    const char *worker_path;
    const struct component *const *components; /* those whose drivers go in; some may be there twice */
    size_t component_count;
    const char *version;   /* of osiris */
    const char *cache_dir; /* where bundles are kept (cache.h); NULL: nowhere, then `output` is needed */
    const char *output;    /* another file to be written; or NULL */
};

struct bundle {
    char *path; /* `output`, or the file in the cache */
    char hash[FINGERPRINT_SIZE];
    int64_t size, unpacked_size;
    bool is_new;              /* it was not in the cache */
    json_object *description; /* description.h */
    json_object *warnings;    /* [text] */
};

int bundle_create(const struct bundle_options *options, struct bundle *bundle, struct osiris_error *error);

/* Reads a bundle and checks all hashes: those of the files against its description, and its own if the file is named after one. */
int bundle_read(const char *path, struct bundle *bundle, struct osiris_error *error);

/* The text of bundle.json. Free it. */
char *bundle_description_text(const struct bundle *bundle);

void bundle_clear(struct bundle *bundle);
#define _cleanup_bundle_ _cleanup_(bundle_clear)

#endif
