/*
 * Columns of one name in a stream. Arrow allows them, and columns are passed on by their position: nothing is lost here. But a lookup
 * by name finds one of them.
 */
#ifndef OSIRIS_WORKER_COLUMNS_H
#define OSIRIS_WORKER_COLUMNS_H

#include <osiris/arrow.h>

struct step;

/* [step's thread] Once a stream. */
void columns_warn_of_equal_names(struct step *step, const struct ArrowSchema *schema);

#endif
