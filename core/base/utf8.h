/* UTF-8 as defined by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef OSIRIS_CORE_BASE_UTF8_H
#define OSIRIS_CORE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/buffer.h"

bool utf8_is_valid(const char *text, size_t length);
/* Appends the text, with '?' for each byte that is not part of a character. */
void utf8_append(struct buffer *out, const char *text, size_t length);

#endif
