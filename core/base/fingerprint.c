/* SHA-256 in hex, by nettle; see fingerprint.h. */
#include "core/base/fingerprint.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdlib.h>

struct fingerprint {
    struct sha256_ctx context;
};

static void finish(struct sha256_ctx *context, char hex[FINGERPRINT_SIZE])
{
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_digest(context, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[FINGERPRINT_SIZE - 1] = '\0';
}

void fingerprint(const void *bytes, size_t length, char hex[FINGERPRINT_SIZE])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, length, bytes);
    finish(&context, hex);
}

struct fingerprint *fingerprint_begin(void)
{
    struct fingerprint *fingerprint = malloc(sizeof *fingerprint);

    sha256_init(&fingerprint->context);
    return fingerprint;
}

void fingerprint_add(struct fingerprint *fingerprint, const void *bytes, size_t length)
{
    sha256_update(&fingerprint->context, length, bytes);
}

void fingerprint_end(struct fingerprint *fingerprint, char hex[FINGERPRINT_SIZE])
{
    if (fingerprint != NULL && hex != NULL)
        finish(&fingerprint->context, hex);
    free(fingerprint);
}
