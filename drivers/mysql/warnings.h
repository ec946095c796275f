/*
 * The server's warnings: values that it truncated or could not compute and turned into NULL, without an error. Their number
 * arrives with the end of the rows; their texts are requested if there were any. One thread.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_WARNINGS_H
#define OSIRIS_DRIVERS_MYSQL_WARNINGS_H

#include "mysql-driver.h"

#define MYSQL_WARNING_TEXTS 3

/* The warnings of statements whose rows were read to the end. All zero: none. */
struct mysql_warnings {
    uint64_t count;
    bool uncounted;                   /* there were more: the server counts to 65535 */
    char *texts[MYSQL_WARNING_TEXTS]; /* the first different ones, then NULL */
};

/* `on_warnings: fail` */
bool mysql_warnings_are_errors(const struct osiris_host *host);
/* Call it when the last row of the session's statement has been read. -1: there were warnings, and they are errors; reported. */
int mysql_warnings_take(struct mysql_warnings *warnings, struct mysql_session *session);
/* Moves the warnings from one to the other. */
void mysql_warnings_move(struct mysql_warnings *to, struct mysql_warnings *from);
/* Logs one warning, if there were any. */
void mysql_warnings_report(const struct mysql_warnings *warnings, const struct osiris_host *host);
void mysql_warnings_clear(struct mysql_warnings *warnings);

#endif
