/*
 * A key column's values in segments; ranges begin where a segment begins.
 *
 * Numbers and dates: the widest segment of the key is halved by value, with an index dive for a key that
 * exists, until no segment has many rows, by the server's estimates for ranges of the index. So a key that
 * is full of gaps costs a few more dives, and no rows are read. Other columns have no middle: their ranges are found by
 * counting along the index. A value without a literal (a date that does not exist) never begins a segment.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_SEGMENTS_H
#define OSIRIS_DRIVERS_MYSQL_SEGMENTS_H

#include "key.h"

#define MYSQL_SEGMENTS 512

struct mysql_segment {
    char *from;    /* its first key, in the text protocol's form; NULL in the first: everything below all keys with a literal */
    uint64_t rows; /* estimated number from there to the next segment */
    bool whole;    /* no key is between them */
};

struct mysql_segments {
    struct mysql_session *session;
    const struct mysql_table *table;
    const struct mysql_key_column *column;
    const char *index;
    struct mysql_segment items[MYSQL_SEGMENTS + 1]; /* while they are found, the highest key follows the last one */
    size_t count;                                   /* 0: there are no keys */
};

/* Finds enough segments for `wanted` ranges; the borrowed members are already set. -1: reported. */
int mysql_segments_find(struct mysql_segments *segments, size_t wanted);
void mysql_segments_clear(struct mysql_segments *segments);
/* Adds "`k` < DATE'…'", where `how` is " < ". */
void mysql_add_comparison(struct sql *sql, const struct mysql_key_column *column, const char *how,
                          const char *value);

#endif
