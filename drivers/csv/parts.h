/*
 * The files of the table, one after the other: opened by the host, which publishes them
 * all together. Each but the last is handed back as soon as it is complete, so that thousands need
 * no more descriptors than one.
 */
#ifndef OSIRIS_CSV_PARTS_H
#define OSIRIS_CSV_PARTS_H

#include "file.h"

#define CSV_PARTS_MAX 10000

struct csv_parts {
    struct csv_file file;
    int64_t number; /* of the current file, from 1 */
    bool appends;   /* it had content before this run */
};

/* Opens the first one. 0, or -1 reported; after either, clear it. */
int csv_parts_init(struct csv_parts *parts, const struct osiris_host *host,
                   const struct csv_options *options);
void csv_parts_clear(struct csv_parts *parts);

/* Completes the current file, to which all texts have been written, and opens the next one. */
int csv_parts_next(struct csv_parts *parts);

#endif
