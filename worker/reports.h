/*
 * What a driver reports of a step: its error, its answer. Any thread of the driver may report; `lock` guards it.
 */
#ifndef OSIRIS_WORKER_REPORTS_H
#define OSIRIS_WORKER_REPORTS_H

#include <json-c/json.h>
#include <osiris/host.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/base/error.h"

struct step;

struct step_reports {
    pthread_mutex_t lock;
    struct osiris_error error; /* the first that was reported and not taken yet */
    atomic_bool has_error;     /* the same, readable without the lock */
    json_object *answer;       /* to a verb other than run, or NULL */
};

/* [any thread] The first error stays; its texts are cleaned of secrets. */
void reports_add(struct step *step, const struct osiris_error_report *report);
void reports_add_error(struct step *step, const struct osiris_error *error);
/* [any thread] Moves one of our own, unless there is one already. */
void reports_move_error(struct step *step, struct osiris_error *error);
/* [any thread] Takes `answer` (or NULL), which replaces an earlier one. */
void reports_set_answer(struct step *step, json_object *answer);

/* [step's thread] Whether there is an error; whether there is an answer. */
bool reports_have_error(struct step *step);
bool reports_have_answer(struct step *step);
/* [step's thread] The verb has returned `result`. 0: it has succeeded. -1: the error is what was reported, or says that nothing was.
 * An error that is reported during the call is an error of the verb, whatever it returns. */
int reports_end_verb(struct step *step, const char *verb, int result, struct osiris_error *error);
/* [step's thread] The same for a function that cannot fail: a warning. */
void reports_warn(struct step *step, const char *function);
/* [step's thread; main thread between attempts] Drops what was reported since the verb failed. */
void reports_discard(struct step *step);

#endif
