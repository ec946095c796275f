/* Drivers that hang; see silence.h and docs/drivers.md, "What bounds a call". */
#include "orchestrator/session/silence.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "orchestrator/oml/duration.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/worker.h"

#define SHORT_PART 10   /* the fraction of the timeout that open and close may take */
#define WARNING_PART 10 /* the fraction of a call's timeout after which a warning is logged */

static bool is_short(const char *function)
{
    return strcmp(function, "open") == 0 || strcmp(function, "close") == 0;
}

/* INT64_MAX: it has none. */
static int64_t bound_of(const struct session *session, size_t index, const char *function)
{
    int64_t bound = session->limits.silence_ms;

    if (bound < 0)
        return INT64_MAX;
    if (is_short(function))
        return bound / SHORT_PART;
    return session->steps[index].bounds_its_waits ? INT64_MAX : bound;
}

static void warn(struct session *session, const struct session_step *step, const char *function,
                 int64_t silent_ms, int64_t bound)
{
    char text[256], silent[DURATION_TEXT_SIZE], until[DURATION_TEXT_SIZE];

    snprintf(text, sizeof text, "%s has been silent in \"%.32s\" for %s; it will be stopped after %s",
             step->component, function, duration_text(silent_ms, silent), duration_text(bound, until));
    session_log(session, OSIRIS_WARNING, step->id, text);
}

static void silence_error(const struct session_step *step, const char *function, int64_t silent_ms,
                          bool retryable, struct osiris_error *error)
{
    char text[DURATION_TEXT_SIZE];

    osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                     "it hangs: the driver has been silent in \"%.32s\" for %s", function,
                     duration_text(silent_ms, text));
    osiris_error_hint(error, "OSIRIS_SILENCE_TIMEOUT_MS sets how long a driver may be silent");
    error->retryable = retryable;
    error->step_id = strdup(step->id);
    error->component = strdup(step->component);
}

/* The step's group can no longer be retried. */
static void stop_committing(struct session_worker *worker, struct session_step *step, struct osiris_error *error)
{
    struct session *session = worker->place->session;

    if (worker_has_published(worker, step->plan->group)) {
        worker_kill(worker);
        worker_fail(worker, error);
        return;
    }
    osiris_error_copy(&step->overdue, error);
    session->late_commit = true;
    session_fail(session, error);
    worker_send_cancel(worker);
}

static void stop(struct session_worker *worker, size_t index, const char *function, int64_t silent_ms)
{
    struct session *session = worker->place->session;
    struct session_step *step = &session->steps[index];
    struct osiris_error error = OSIRIS_ERROR_INIT;
    bool runs = schedule_step_state(session->schedule, index) == STEP_REQUESTED;

    silence_error(step, function, silent_ms, runs, &error);
    if (runs)
        session_step_timed_out(session, index, &error);
    else if (schedule_group_commits(session->schedule, step->plan->group))
        stop_committing(worker, step, &error);
    /* A step that is being aborted has its own deadline. */
    osiris_error_clear(&error);
}

void session_check_silence(struct session_worker *worker, size_t index, const char *function, int64_t silent_ms)
{
    struct session *session = worker->place->session;
    struct session_step *step = &session->steps[index];
    int64_t bound = bound_of(session, index, function);

    if (step->overdue.category != 0)
        return;
    if (silent_ms >= 1000)
        silent_ms -= silent_ms % 1000;
    if (silent_ms < bound / WARNING_PART)
        step->warned_of_silence = false;
    else if (silent_ms >= bound)
        stop(worker, index, function, silent_ms);
    else if (!step->warned_of_silence && bound < INT64_MAX) {
        step->warned_of_silence = true;
        warn(session, step, function, silent_ms, bound);
    }
}
