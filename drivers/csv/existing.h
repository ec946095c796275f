/*
 * The file that is appended to: what it begins with, and how it ends. It is read through the host: text only as far as the
 * header, a compressed file to its end, because what follows damaged bytes could not be read.
 */
#ifndef OSIRIS_CSV_EXISTING_H
#define OSIRIS_CSV_EXISTING_H

#include "options.h"

struct csv_existing;

/* NULL, reported. */
struct csv_existing *csv_existing_open(const struct osiris_host *host,
                                       const struct csv_options *options, const char *path);
void csv_existing_free(struct csv_existing *existing);

/* The file, uncompressed, goes on with these bytes: 0; else -1, reported: another header. */
int csv_existing_compare(struct csv_existing *existing, const char *data, size_t size);

/* The file, if it is compressed, is whole, and its text ends with a line break (that of a text file which is streamed to
 * here is taken to). 0, or -1 reported. */
int csv_existing_check_end(struct csv_existing *existing);

#endif
