/*
 * How the read of a table resumes after its connection is lost: its rows are in the order of a unique key, and a
 * new statement requests those after the last one that was delivered. Found once, then shared by all readers.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_RESUME_H
#define OSIRIS_DRIVERS_MYSQL_RESUME_H

#include "key.h"

struct mysql_resume {
    struct mysql_key key;              /* count 0: it does not resume */
    bool is_hidden[MYSQL_KEY_COLUMNS]; /* the key's column is not among the config's columns */
    unsigned hidden;                   /* the number of such columns */
    char *order;                       /* "`a`, `b`" */
    char *more_columns;                /* ", `b`", or NULL */
};

/* Checks that the config's on_disconnect is possible, without asking the server. -1: reported. */
int mysql_resume_check(const struct osiris_host *host);
/* `on_disconnect: resume` */
bool mysql_resume_is_wanted(const struct osiris_host *host);
/* `on_disconnect: fail` */
bool mysql_resume_is_unwanted(const struct osiris_host *host);
/* Finds a key. By default one that costs nothing, or none; with `on_disconnect: resume` it is an error if there is
 * none. `part` is what is read. -1: reported. */
int mysql_resume_find(const struct osiris_host *host, struct mysql_session *session,
                      const struct mysql_part *part, struct mysql_resume *resume);
void mysql_resume_clear(struct mysql_resume *resume);

/* The condition on rows after the last one of `batch`, which has all columns of the statement (free it); NULL: its key has no
 * literal, or out of memory. */
char *mysql_resume_after(const struct mysql_resume *resume, const struct ArrowSchema *schema,
                         const struct ArrowArray *batch);

/* Whether a read that failed with this error may resume over a new connection. */
bool mysql_is_lost_connection(const struct osiris_error_report *error);

#endif
