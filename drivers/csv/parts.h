/*
 * The files that the table goes to, one after the other: opened by the host, which publishes them
 * all together. Each but the last is handed back as soon as it is complete, so that thousands take
 * no more descriptors than one.
 */
#ifndef OSIRIS_CSV_PARTS_H
#define OSIRIS_CSV_PARTS_H

#include "file.h"

#define CSV_PARTS_MAX 10000

struct csv_parts {
    struct csv_file file;
    int64_t number; /* of the file at hand, from 1 */
    bool appends;   /* there is something in it already */
};

/* Opens the first one. 0, or -1 reported; after either, clear it. */
int csv_parts_init(struct csv_parts *parts, const struct osiris_host *host,
                   const struct csv_options *options);
void csv_parts_clear(struct csv_parts *parts);

/* The file at hand is complete, and the next one is opened. All texts have been written to it. */
int csv_parts_next(struct csv_parts *parts);

#endif
