/*
 * A bundle's file: a tar file (tar.h) in gzip. It is known by the SHA-256 of its tar bytes, so compression does not
 * matter for its identity. Reading is strict: whatever this writer would not have written is an error.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_PACK_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_PACK_H

#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/fingerprint.h"
#include "orchestrator/bundle/archive.h"

struct pack_identity {
    char hash[FINGERPRINT_SIZE]; /* of the tar bytes */
    uint32_t crc;                /* and their CRC-32 and length, with which a gzip file of them ends */
    uint64_t length;
};

void pack_identify(const struct archive *archive, struct pack_identity *identity);
int pack_write(const struct archive *archive, struct buffer *out, struct osiris_error *error);
int pack_read(const char *bytes, size_t length, struct archive *archive, struct pack_identity *identity,
              struct osiris_error *error);

/* Whether a file that ends with these bytes may be that archive, whole. */
#define PACK_TRAILER 8
bool pack_ends_with(const struct pack_identity *identity, const unsigned char trailer[PACK_TRAILER]);

#endif
