/*
 * A step's output: its driver's stream, pulled on the step's thread, each batch checked and handed to its readers.
 */
#ifndef OSIRIS_WORKER_OUTPUT_STREAM_H
#define OSIRIS_WORKER_OUTPUT_STREAM_H

#include <osiris/arrow.h>

#include "core/base/error.h"

struct step;

/* [step's thread] Takes `output`, which the driver's run has made: pulls it to its end, and releases it. */
int output_stream_pull(struct step *step, struct ArrowArrayStream *output, struct osiris_error *error);
/* [step's thread] Releases it, if it is one. */
void output_stream_release(struct step *step, struct ArrowArrayStream *output);

#endif
