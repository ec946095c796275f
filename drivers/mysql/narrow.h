/* A batch or schema less its last columns: those that were read only to know where to go on. */
#ifndef OSIRIS_DRIVERS_MYSQL_NARROW_H
#define OSIRIS_DRIVERS_MYSQL_NARROW_H

#include <osiris/arrow.h>

/* In place. 0; -1: no memory, and what was given is released. */
int mysql_narrow_batch(struct ArrowArray *batch, unsigned hidden);
int mysql_narrow_schema(struct ArrowSchema *schema, unsigned hidden);

#endif
