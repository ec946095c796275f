/*
 * Errors of an attempt that may be retried: the report is held, and then dropped or passed on. `host` takes the place
 * of the real host table. One thread, except for gates.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_REPORTS_H
#define OSIRIS_DRIVERS_MYSQL_REPORTS_H

#include <osiris/host.h>
#include <pthread.h>
#include <stdbool.h>

struct mysql_reports {
    struct osiris_host host; /* first: the table's calls get a pointer to it */
    const struct osiris_host *real;
    bool holding;
    struct osiris_error_report held; /* category 0: none; its texts are owned */
    struct mysql_gate *gate;         /* or NULL */
};

/* Readers that work at the same time report as one: once one of them has failed and its verb may have returned, the others'
 * errors are no news. */
struct mysql_gate {
    pthread_mutex_t lock; /* held during a report */
    bool closed;
};

void mysql_gate_init(struct mysql_gate *gate);
/* No report is under way when it returns, and none comes later. */
void mysql_gate_close(struct mysql_gate *gate);
void mysql_gate_destroy(struct mysql_gate *gate);

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
