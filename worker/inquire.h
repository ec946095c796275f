/*
 * The verbs of a driver that run nothing: check, discover, plan. They are called on the step's thread like run.
 */
#ifndef OSIRIS_WORKER_INQUIRE_H
#define OSIRIS_WORKER_INQUIRE_H

#include <stdbool.h>

#include "core/base/error.h"

struct step;

bool inquire_is_verb(const char *verb);
/* [step's thread] Calls the step's verb, which is not "run". */
int inquire(struct step *step, struct osiris_error *error);

#endif
