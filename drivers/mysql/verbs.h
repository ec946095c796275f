/* The verbs of the extractor that run nothing; osiris/driver.h describes their answers. -1: reported. */
#ifndef OSIRIS_DRIVERS_MYSQL_VERBS_H
#define OSIRIS_DRIVERS_MYSQL_VERBS_H

#include "partition.h"
#include "reports.h"

/* "run" with a host that knows no other verbs. */
const char *mysql_verb(const struct osiris_host *host);

/* Each connects the session; its errors go to `reports`. */
int mysql_check(const struct osiris_host *host, struct mysql_session *session);
int mysql_discover(const struct osiris_host *host, struct mysql_session *session,
                   struct mysql_reports *reports);

/* The configs that read a split table in parts. */
int mysql_answer_plan(const struct osiris_host *host, const struct mysql_partitions *partitions);

/* Adds a JSON string, or null. */
void mysql_add_json(struct sql *json, const char *text);
/* Hands the answer to the host; takes the text of `json`. */
int mysql_answer(const struct osiris_host *host, struct sql *json);

#endif
