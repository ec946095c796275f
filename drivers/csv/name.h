/*
 * File names from the path of the config: ${part}, ${run_id}, ${step_id}, ${date}, ${time}
 * and ${now:FORMAT} are substituted, "$${" becomes "${". Times are those of the run's start, in UTC.
 */
#ifndef OSIRIS_CSV_NAME_H
#define OSIRIS_CSV_NAME_H

#include "options.h"

/* Checks that every ${…} is known. 0, or -1 reported. */
int csv_name_check(const struct osiris_host *host, const struct csv_options *options);

/* The name of file number `part`, from 1; owned by the caller. NULL, reported. If there may be
 * several files and the path does not contain ${part}, the number goes before the extension:
 * "orders-00001.csv". */
char *csv_name_make(const struct osiris_host *host, const struct csv_options *options,
                    int64_t part);

#endif
