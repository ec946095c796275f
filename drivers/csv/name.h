/*
 * The path of the config as the names of files: ${part}, ${run_id}, ${step_id}, ${date}, ${time}
 * and ${now:FORMAT} are filled in, "$${" is "${". Times are those of the run's start, in UTC.
 */
#ifndef OSIRIS_CSV_NAME_H
#define OSIRIS_CSV_NAME_H

#include "options.h"

/* Whether all is known. 0, or -1 reported. */
int csv_name_check(const struct osiris_host *host, const struct csv_options *options);

/* The name of the `part`th file, from 1; owned by the caller. NULL, reported. If there may be
 * several and the path does not say where the number goes, it goes before the extension:
 * "orders-00001.csv". */
char *csv_name_make(const struct osiris_host *host, const struct csv_options *options,
                    int64_t part);

#endif
