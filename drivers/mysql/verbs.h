/* The verbs of the extractor that run nothing: what they give is described in osiris/driver.h. -1: reported. */
#ifndef OSIRIS_DRIVERS_MYSQL_VERBS_H
#define OSIRIS_DRIVERS_MYSQL_VERBS_H

#include "partition.h"
#include "reports.h"

/* "run" with a host that knows no others. */
const char *mysql_verb(const struct osiris_host *host);

/* Each connects the session; what it reports goes to `reports`. */
int mysql_check(const struct osiris_host *host, struct mysql_session *session);
int mysql_discover(const struct osiris_host *host, struct mysql_session *session,
                   struct mysql_reports *reports);

/* How a split table is run in parts. */
int mysql_give_plan(const struct osiris_host *host, const struct mysql_partitions *partitions);

/* Adds a JSON string, or null. */
void mysql_add_json(struct sql *json, const char *text);
/* Hands the answer to the host; takes what `json` holds. */
int mysql_give(const struct osiris_host *host, struct sql *json);

#endif
