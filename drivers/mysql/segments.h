/*
 * A key column's values in segments, for ranges to begin where a segment does.
 *
 * Numbers and dates: the widest segment of the key is halved by its value, with a dive into the index for a key that is
 * there, until no segment has many rows; the server's estimates of rows in a range of the index say how many. So a key that
 * is full of gaps costs a few more dives, and no rows are read. Other columns have no middle: their cuts are found by
 * counting along the index. Whatever has no literal (dates that do not exist) begins no segment.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_SEGMENTS_H
#define OSIRIS_DRIVERS_MYSQL_SEGMENTS_H

#include "key.h"

#define MYSQL_SEGMENTS 512

struct mysql_segment {
    char *from;    /* its first key, as the text protocol gives it; NULL of the first: what is below all keys with a literal */
    uint64_t rows; /* from there to the next one's first: estimated */
    bool whole;    /* no key is between them */
};

struct mysql_segments {
    struct mysql_session *session;
    const struct mysql_table *table;
    const struct mysql_key_column *column;
    const char *index;
    struct mysql_segment items[MYSQL_SEGMENTS + 1]; /* while it is made, behind the last one: the highest key */
    size_t count;                                   /* 0: there are no keys */
};

/* Segments enough for `wanted` ranges; what is borrowed was set before. -1: reported. */
int mysql_segments_find(struct mysql_segments *segments, size_t wanted);
void mysql_segments_clear(struct mysql_segments *segments);
/* Adds "`k` < DATE'…'", where `how` is " < ". */
void mysql_add_comparison(struct sql *sql, const struct mysql_key_column *column, const char *how,
                          const char *value);

#endif
