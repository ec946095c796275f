/*
 * One connection and one statement whose rows come as batches: unbuffered and in the binary protocol, straight into
 * Arrow columns. A reader belongs to one thread but for mysql_reader_interrupt. What goes wrong is reported through the
 * host; calls then return -1.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_READER_H
#define OSIRIS_DRIVERS_MYSQL_READER_H

#include "mysql-driver.h"

struct mysql_reader {
    const struct osiris_host *host;
    struct mysql_session session;
    int64_t batch_rows;
    struct mysql_part part; /* what is to be read of the table */
    char *sql;
    MYSQL_STMT *statement;
    struct mysql_columns *columns;
    bool ended;
};

/* Connects to nothing yet. After -1 there is nothing to clear. */
int mysql_reader_init(struct mysql_reader *reader, const struct osiris_host *host);
/* A statement that was not read to its end is stopped on the server. */
void mysql_reader_clear(struct mysql_reader *reader);
int mysql_reader_connect(struct mysql_reader *reader);
/* Runs the statement, so that the columns are known. */
int mysql_reader_execute(struct mysql_reader *reader);
int mysql_reader_schema(const struct mysql_reader *reader, struct ArrowSchema *out);
/* The next batch; at the end its release is NULL. */
int mysql_reader_next(struct mysql_reader *reader, struct ArrowArray *out);
/* [any thread, between init and clear] Makes whatever the reader waits in end with an error. */
void mysql_reader_interrupt(struct mysql_reader *reader);

#endif
