/*
 * From the binary protocol's values to Arrow columns: a function for each type decodes a column's bytes of a row and
 * appends them. columns.c chooses one for each column.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_VALUES_H
#define OSIRIS_DRIVERS_MYSQL_VALUES_H

#include "mysql-driver.h"

struct mysql_column;

/* `row` points to the column's bytes and is moved past them. A problem with them becomes the columns' error. */
typedef void mysql_append(struct mysql_columns *columns, struct mysql_column *column,
                          unsigned char **row);

struct mysql_column {
    struct osiris_column *out;
    mysql_append *append;
    int32_t scale;
    const char *name; /* the statement's */
};

struct mysql_columns {
    struct osiris_builder *builder;
    struct mysql_column *items;
    unsigned count;
    bool tinyint1_is_boolean, bad_dates_fail;
    int64_t bad_dates, rows_before; /* rows of finished batches */
    const char *error;
    char text[512]; /* of an error that names row and column */
    const NET *net; /* of the connection: its buffer holds the row */
    struct mysql_room room;
    size_t large_row; /* bytes so far of the row that is being appended, if it is large; else 0 */
};

mysql_append mysql_append_int8, mysql_append_uint8, mysql_append_int16, mysql_append_uint16,
    mysql_append_int32, mysql_append_uint32, mysql_append_int64, mysql_append_uint64,
    mysql_append_float, mysql_append_double, mysql_append_boolean;
/* Texts and other values that need no conversion. */
mysql_append mysql_append_bytes;
/* GEOMETRY without its SRID. */
mysql_append mysql_append_geometry;
mysql_append mysql_append_bit, mysql_append_decimal;
mysql_append mysql_append_date, mysql_append_timestamp, mysql_append_time;
/* NULL, the type. */
mysql_append mysql_append_nothing;

#endif
