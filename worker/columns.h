/*
 * Columns with the same name in a stream. Arrow allows them, and columns are passed on by position, so nothing is lost here. But a
 * lookup by name finds only one of them.
 */
#ifndef OSIRIS_WORKER_COLUMNS_H
#define OSIRIS_WORKER_COLUMNS_H

#include <osiris/arrow.h>

struct step;

/* [step's thread] Once for each stream. */
void columns_warn_of_equal_names(struct step *step, const struct ArrowSchema *schema);

#endif
