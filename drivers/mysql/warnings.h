/*
 * The server's warnings: values that it cut or could not compute, and made NULL, without an error. How many there were
 * comes with the end of the rows; what they say is asked for if there were any. One thread.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_WARNINGS_H
#define OSIRIS_DRIVERS_MYSQL_WARNINGS_H

#include "mysql-driver.h"

#define MYSQL_WARNING_TEXTS 3

/* Of statements whose rows were read to the end. All zero: none. */
struct mysql_warnings {
    uint64_t count;
    bool uncounted;                   /* there were more: the server counts to 65535 */
    char *texts[MYSQL_WARNING_TEXTS]; /* the first different ones; NULL behind them */
};

/* `on_warnings: fail` */
bool mysql_warnings_are_errors(const struct osiris_host *host);
/* Call it when the last row of the session's statement has been read. -1: there were some, and they are errors; reported. */
int mysql_warnings_take(struct mysql_warnings *warnings, struct mysql_session *session);
/* Moves what the one has to the other. */
void mysql_warnings_move(struct mysql_warnings *to, struct mysql_warnings *from);
/* Logs one warning, if there were any. */
void mysql_warnings_tell(const struct mysql_warnings *warnings, const struct osiris_host *host);
void mysql_warnings_clear(struct mysql_warnings *warnings);

#endif
