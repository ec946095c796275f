/* Removes the last columns of a batch or schema: those that were read only to know where to resume. */
#ifndef OSIRIS_DRIVERS_MYSQL_NARROW_H
#define OSIRIS_DRIVERS_MYSQL_NARROW_H

#include <osiris/arrow.h>

/* In place. 0; -1: out of memory, and the argument is released. */
int mysql_narrow_batch(struct ArrowArray *batch, unsigned hidden);
int mysql_narrow_schema(struct ArrowSchema *schema, unsigned hidden);

#endif
