/*
 * A step, in parts: each says who touches it, and under which lock. The header of a part has the functions that work on it.
 */
#ifndef OSIRIS_WORKER_STEP_H
#define OSIRIS_WORKER_STEP_H

#include "worker/attempt.h"
#include "worker/decide.h"
#include "worker/files.h"
#include "worker/folders.h"
#include "worker/hosting.h"
#include "worker/interrupt.h"
#include "worker/progress.h"
#include "worker/reports.h"
#include "worker/signs.h"
#include "worker/start.h"
#include "worker/step-plan.h"

struct run;

struct step {
    struct run *run;
    struct step_plan plan;       /* constant */
    struct step_main main;       /* the main thread's */
    struct step_request request; /* constant during an attempt */
    struct step_own own;         /* its thread's */
    /* Shared. */
    struct step_progress progress; /* atomic */
    struct step_signs signs;       /* atomic */
    struct step_fate fate;         /* under run->steps_lock */
    struct step_opening opening;   /* under its lock, as are those that follow */
    struct step_reports reports;
    struct step_files files;
    struct step_folders folders;
};

/* Makes the locks and so on of an empty step. */
void step_init(struct step *step, struct run *run);
/* No thread works on it any more. */
void step_clear(struct step *step);
/* [main thread] Empties what an attempt has left, but for its streams and artifacts. */
void step_renew(struct step *step);
/* Whether it was requested to run, not for another verb. */
bool step_is_run(const struct step *step);

#endif
