/* One snapshot of a table for several connections. */
#ifndef OSIRIS_DRIVERS_MYSQL_SNAPSHOT_H
#define OSIRIS_DRIVERS_MYSQL_SNAPSHOT_H

#include "reader.h"

/* Begins a transaction on each reader's connection, all at the same state of the table; `coordinator` is a connection of
 * its own. An error if the table's engine has no snapshots, or the user may not lock the table. -1: reported. */
int mysql_snapshot_begin(struct mysql_session *coordinator, struct mysql_reader *readers,
                         size_t count);

#endif
