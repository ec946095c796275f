/*
 * A table that is being written: the columns in the order of the file, and the
 * rows.
 */
#ifndef OSIRIS_CSV_TABLE_H
#define OSIRIS_CSV_TABLE_H

#include "field.h"
#include "parts.h"

struct csv_table {
    struct csv_context context;
    struct csv_field *fields; /* in the order of the file */
    size_t count;
    int64_t source_count; /* columns of the input */
    char *at;             /* position in the sink's buffer */
    struct csv_parts *parts;
    int64_t part_begin; /* the first row of the current file */
};

/* The parts, of which the first is open, and what they use outlive the table. After a
 * failure, too, call csv_table_clear. */
int csv_table_init(struct csv_table *table, struct csv_parts *parts,
                   const struct ArrowSchema *schema);
void csv_table_clear(struct csv_table *table);

/* All return 0, or -1 reported. */
int csv_table_begin(struct csv_table *table); /* the byte order mark and the header */
int csv_table_write_batch(struct csv_table *table, const struct ArrowArray *batch);
int csv_table_finish(struct csv_table *table);

#endif
