/* One snapshot of a table for several connections. */
#ifndef OSIRIS_DRIVERS_MYSQL_SNAPSHOT_H
#define OSIRIS_DRIVERS_MYSQL_SNAPSHOT_H

#include "reader.h"

/* Starts a transaction on each reader's connection, all with the same state of the table; `coordinator` is a separate
 * connection. An error if the table's engine has no snapshots, or the user may not lock the table. -1: reported. */
int mysql_snapshot_begin(struct mysql_session *coordinator, struct mysql_reader *readers,
                         size_t count);

#endif
