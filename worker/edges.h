/*
 * A step's streams, wherever their other ends are: a queue in this worker, or a link to another place.
 */
#ifndef OSIRIS_WORKER_EDGES_H
#define OSIRIS_WORKER_EDGES_H

#include <osiris/arrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

struct run;
struct step;

/* [step's thread] To all readers; `batch` is taken. */
int edges_set_schema(struct step *step, const struct ArrowSchema *schema, struct osiris_error *error);
int edges_hand_out(struct step *step, const struct ArrowSchema *schema, struct ArrowArray *batch, uint64_t bytes,
                   struct osiris_error *error);
/* [step's thread] Readers that still want batches. */
size_t edges_open_readers(const struct step *step);
/* [step's thread] Ends the step's streams. Inputs that were not read to their end are closed. */
void edges_end(struct step *step, bool success);
/* [any thread] Wakes whoever waits on one of the step's streams. */
void edges_cancel(struct step *step);
/* [main thread; none of these steps' threads runs] Resets the streams of steps that were aborted to their state before the first
 * attempt. */
void edges_renew_old(struct run *run);

#endif
