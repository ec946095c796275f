/*
 * Splitting a table into ranges of a column that together contain each row once: by the server's own comparison, with the
 * column's index and without reading rows, with NULL in the first range.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_PARTITION_H
#define OSIRIS_DRIVERS_MYSQL_PARTITION_H

#include "key.h"

#define MYSQL_PARTITIONS 64

struct mysql_partitions {
    struct mysql_key key;               /* the column of the ranges */
    size_t count;                       /* at least 1 */
    uint64_t row_bytes;                 /* average size of a row, as the server estimates; 0: unknown */
    char *conditions[MYSQL_PARTITIONS]; /* SQL; NULL if there is only one range: all rows */
};

/* Checks that the config allows several partitions, without asking the server. -1: reported. */
int mysql_partitions_check(const struct osiris_host *host);
/* Finds at most `wanted` ranges of about the same number of rows; fewer if there are fewer different values. -1: reported. */
int mysql_partitions_find(const struct osiris_host *host, struct mysql_session *session,
                          size_t wanted, struct mysql_partitions *partitions);
void mysql_partitions_clear(struct mysql_partitions *partitions);

#endif
