/*
 * A table on its way into the file: the columns in the order in which they are written, and the rows.
 */
#ifndef OSIRIS_CSV_TABLE_H
#define OSIRIS_CSV_TABLE_H

#include "field.h"

struct csv_table {
    struct csv_context context;
    struct csv_field *fields; /* as written */
    size_t count;
    int64_t source_count;     /* columns of the input */
    char *at;                 /* position in the sink's buffer */
};

/* The options and the host live longer than the table. After a failure too: csv_table_clear. */
int csv_table_init(struct csv_table *table, const struct osiris_host *host,
                   const struct csv_options *options, const struct ArrowSchema *schema, int fd);
void csv_table_clear(struct csv_table *table);

/* All return 0, or -1 reported. */
int csv_table_write_header(struct csv_table *table);
int csv_table_write_batch(struct csv_table *table, const struct ArrowArray *batch);
int csv_table_finish(struct csv_table *table);

#endif
