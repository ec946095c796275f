/* SHA-256 in hex. */
#ifndef OSIRIS_CORE_BASE_FINGERPRINT_H
#define OSIRIS_CORE_BASE_FINGERPRINT_H

#include <stddef.h>

#define FINGERPRINT_SIZE 65 /* 64 hex digits and a NUL */

void fingerprint(const void *bytes, size_t length, char hex[FINGERPRINT_SIZE]);

/* The same of bytes that come in parts. fingerprint_end frees it; `hex` may be NULL. */
struct fingerprint;
struct fingerprint *fingerprint_begin(void);
void fingerprint_add(struct fingerprint *fingerprint, const void *bytes, size_t length);
void fingerprint_end(struct fingerprint *fingerprint, char hex[FINGERPRINT_SIZE]);

#endif
