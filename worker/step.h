/*
 * A step, divided by who accesses it and under which lock. The functions for each part are in its header.
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
    struct step_opening opening;   /* under its lock, like the following ones */
    struct step_reports reports;
    struct step_files files;
    struct step_folders folders;
};

/* Initializes the locks and other members of a zeroed step. */
void step_init(struct step *step, struct run *run);
/* No thread may be working on it. */
void step_clear(struct step *step);
/* [main thread] Clears what an attempt has left, except its streams and artifacts. */
void step_renew(struct step *step);
/* Whether its verb is run. */
bool step_is_run(const struct step *step);

#endif
