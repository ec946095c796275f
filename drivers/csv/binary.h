/*
 * Bytes as hex or base64, as the option `binary` says.
 */
#ifndef OSIRIS_CSV_BINARY_H
#define OSIRIS_CSV_BINARY_H

#include "options.h"

/* `to` has room for twice the size and four. Returns the length. */
size_t csv_encode_binary(const struct csv_options *options, const char *from, size_t size, char *to);

#endif
