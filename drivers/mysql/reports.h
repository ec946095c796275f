/*
 * Errors of an attempt that may be retried: the report is held, and then dropped or passed on. `host` takes the place
 * of the real host table. One thread.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_REPORTS_H
#define OSIRIS_DRIVERS_MYSQL_REPORTS_H

#include <osiris/host.h>
#include <stdbool.h>

struct mysql_reports {
    struct osiris_host host; /* first: the table's calls get a pointer to it */
    const struct osiris_host *real;
    bool holding;
    struct osiris_error_report held; /* category 0: none; its texts are owned */
};

void mysql_reports_init(struct mysql_reports *reports, const struct osiris_host *real);
void mysql_reports_clear(struct mysql_reports *reports);
/* From now on the first report is held. */
void mysql_reports_hold(struct mysql_reports *reports);
/* Reports are passed through again; a held report is kept. */
void mysql_reports_keep(struct mysql_reports *reports);
/* Drops the held report; reports are passed through again. */
void mysql_reports_drop(struct mysql_reports *reports);
/* Passes on the held report, if there is one. Always -1. */
int mysql_reports_pass(struct mysql_reports *reports);

#endif
