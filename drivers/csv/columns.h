/*
 * Which columns are written, in which order.
 */
#ifndef OSIRIS_CSV_COLUMNS_H
#define OSIRIS_CSV_COLUMNS_H

#include "field.h"

/* Sets *fields (owned by the caller, with `source` set) and their number, as the options require. A
 * name that the config lists and the schema does not have is an error; one that several columns
 * have selects all of them. 0, or -1 reported: there is nothing to free then. */
int csv_columns_choose(const struct osiris_host *host, const struct csv_options *options,
                       const struct ArrowSchema *schema, struct csv_field **fields, size_t *count);

#endif
