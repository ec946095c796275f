/*
 * A step's inputs as its driver sees them: Arrow streams over queues.
 */
#ifndef OSIRIS_WORKER_INPUT_STREAMS_H
#define OSIRIS_WORKER_INPUT_STREAMS_H

#include "core/base/error.h"

struct step;

/* [step's thread] Makes them, in the attempt's hosting. -1: no memory. */
int input_streams_open(struct step *step);
/* [step's thread] The run is over: nothing more is to be read. */
void input_streams_end(struct step *step);
/* [step's thread] The step has succeeded. Not so a writer that has read nothing although there was something; one that has not read
 * everything is mentioned in the log. */
int input_streams_check_read(struct step *step, struct osiris_error *error);

#endif
