/*
 * The file that is appended to: how it starts and how it ends. It is read through the host: a text file only up to its
 * header, a compressed file to its end, because nothing after damaged bytes could be read.
 */
#ifndef OSIRIS_CSV_EXISTING_H
#define OSIRIS_CSV_EXISTING_H

#include "options.h"

struct csv_existing;

/* NULL, reported. */
struct csv_existing *csv_existing_open(const struct osiris_host *host,
                                       const struct csv_options *options, const char *path);
void csv_existing_free(struct csv_existing *existing);

/* 0 if the file, decompressed, continues with these bytes; else -1, reported: it has another header. */
int csv_existing_compare(struct csv_existing *existing, const char *data, size_t size);

/* 0 if the file, when compressed, is complete, and its text ends with a line break (assumed of a text file that is streamed to
 * here); else -1, reported. */
int csv_existing_check_end(struct csv_existing *existing);

#endif
