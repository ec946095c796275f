/*
 * Splitting a table into ranges of a column that together have each row once: by the server's own comparison, with the
 * column's index and not with its rows, NULL in the first range.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_PARTITION_H
#define OSIRIS_DRIVERS_MYSQL_PARTITION_H

#include "key.h"

#define MYSQL_PARTITIONS 64

struct mysql_partitions {
    struct mysql_key key;               /* the column that they are ranges of */
    size_t count;                       /* at least 1 */
    uint64_t row_bytes;                 /* of the table's average row, as the server thinks; 0: unknown */
    char *conditions[MYSQL_PARTITIONS]; /* SQL; NULL if there is but one: all rows */
};

/* Whether what the config says goes together with several partitions; asks no server. -1: reported. */
int mysql_partitions_check(const struct osiris_host *host);
/* At most `wanted` ranges of about as many rows each; fewer if there are fewer different values. -1: reported. */
int mysql_partitions_find(const struct osiris_host *host, struct mysql_session *session,
                          size_t wanted, struct mysql_partitions *partitions);
void mysql_partitions_clear(struct mysql_partitions *partitions);

#endif
