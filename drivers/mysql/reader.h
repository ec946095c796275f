/*
 * One connection and one statement whose rows become batches: unbuffered and in the binary protocol, straight into
 * Arrow columns. It reads what the config names, or a range of it. If it has a key to resume from, a lost
 * connection is re-established. A reader belongs to one thread, except for mysql_reader_interrupt. Errors are reported
 * through the host; calls then return -1.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_READER_H
#define OSIRIS_DRIVERS_MYSQL_READER_H

#include "reports.h"
#include "resume.h"
#include "warnings.h"

#define MYSQL_GIANT_BYTES (4u << 20)

struct mysql_reader {
    struct mysql_reports reports;
    const struct osiris_host *host; /* replaces the real one, so that errors that are retried are not reported */
    struct mysql_session session;
    int64_t batch_rows, limit;
    size_t batch_bytes_most; /* a batch ends with the row that reaches this many */
    struct mysql_room room;  /* for large rows; all zero: this is the only reader */
    const char *range;                 /* the condition on its rows, or NULL: all; borrowed */
    const struct mysql_resume *resume; /* or NULL: a lost connection is an error; borrowed */

    char *sql;
    MYSQL_STMT *statement;
    struct mysql_columns *columns;
    struct ArrowSchema schema; /* of the statement: hidden columns of the key follow the others */
    int64_t bad_dates;         /* of the statements before this one */
    struct mysql_warnings warnings;
    size_t batch_bytes;        /* of the last batch, approximately */
    bool may_be_giant;         /* a column can hold MYSQL_GIANT_BYTES or more */
    bool ended;

    char *after;       /* the condition on rows after the last one delivered; NULL: there is no such row, or it has none */
    int64_t delivered; /* rows */
    bool lost;         /* the connection was lost after the delivered rows */
    unsigned failures; /* failed connections since the last batch */
};

struct mysql_work {
    int (*run)(void *owner); /* -1: reported through the reader's host. It may be run again. NULL: no work */
    void *owner;
};

/* Does not connect yet. After -1 there is nothing to clear. */
int mysql_reader_init(struct mysql_reader *reader, const struct osiris_host *host);
/* A statement that was not read to its end is stopped on the server. */
void mysql_reader_clear(struct mysql_reader *reader);
/* Connects and does the work that precedes all reading; both are repeated if the connection is lost
 * meanwhile, but not with `on_disconnect: fail`. */
int mysql_reader_begin(struct mysql_reader *reader, const struct mysql_work *work);
/* Connects where another reader has connected, so a connection that fails is retried like a lost one. */
int mysql_reader_join(struct mysql_reader *reader);
/* Within the work: finds the key to resume from (see resume.h) and fills `resume`, which outlives the
 * reader. */
int mysql_reader_find_key(struct mysql_reader *reader, struct mysql_resume *resume);
/* Runs the statement, so that the columns are known; again, over a new connection, if the connection is lost meanwhile. */
int mysql_reader_execute(struct mysql_reader *reader);
int mysql_reader_schema(const struct mysql_reader *reader, struct ArrowSchema *out);
/* The next batch; at the end its release is NULL. */
int mysql_reader_next(struct mysql_reader *reader, struct ArrowArray *out);
/* [any thread, between init and clear] Makes any wait of the reader end with an error. */
void mysql_reader_interrupt(struct mysql_reader *reader);

#endif
