/* SHA-256 in hex, by nettle; see fingerprint.h. */
#include "core/base/fingerprint.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdint.h>

void fingerprint(const void *bytes, size_t length, char hex[FINGERPRINT_SIZE])
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&context);
    sha256_update(&context, length, bytes);
    sha256_digest(&context, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[FINGERPRINT_SIZE - 1] = '\0';
}
