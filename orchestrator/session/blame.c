/* Describes the end of a worker; see blame.h. */
#include "orchestrator/session/blame.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/session/worker.h"

/* What the worker is doing with a step. */
enum step_activity { IDLE, RUNNING, COMMITTING, CLOSING };

static enum step_activity activity(const struct session_worker *worker, size_t step)
{
    const struct session *session = worker->place->session;
    size_t group = session->plan->steps[step].group;

    if (!worker_has_step(worker, step))
        return IDLE;
    if (schedule_step_state(session->schedule, step) == STEP_REQUESTED)
        return RUNNING;
    if (!schedule_group_commits(session->schedule, group))
        return IDLE;
    return worker_has_published(worker, group) ? CLOSING : COMMITTING;
}

/* The number of consecutive busy steps from `first` on that have the same activity; *next is the first step after them. */
static size_t count_same_activity(const struct session_worker *worker, size_t first, size_t *next)
{
    enum step_activity what = activity(worker, first);
    size_t count = 0, i = first;

    for (; i < worker->place->session->plan->step_count; i++) {
        enum step_activity now = activity(worker, i);
        if (now != IDLE && now != what)
            break;
        count += now == what;
    }
    *next = i;
    return count;
}

/* "steps \"a\" (x.extractor), \"b\" (y.processor) and \"c\" (z.writer) were running" */
static char *busy_steps(const struct session_worker *worker)
{
    static const char *const verbs[] = {
        [RUNNING] = "running",
        [COMMITTING] = "being committed (what it wrote may have been published)",
        [CLOSING] = "being closed"};
    const struct session *session = worker->place->session;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 16);

    for (size_t i = 0, next; i < session->plan->step_count; i = next) {
        enum step_activity what = activity(worker, i);
        next = i + 1;
        if (what == IDLE)
            continue;
        size_t count = count_same_activity(worker, i, &next);
        buffer_append_format(&text, "%s%s ", text.length > 0 ? " and " : "", count > 1 ? "steps" : "step");
        for (size_t listed = 0; listed < count; i++) {
            if (activity(worker, i) != what)
                continue;
            const char *before = listed == 0 ? "" : listed + 1 == count ? " and " : ", ";
            buffer_append_format(&text, "%s\"%s\" (%s)", before, session->steps[i].id,
                                 session->steps[i].component);
            listed++;
        }
        buffer_append_format(&text, " %s %s", count > 1 ? "were" : "was", verbs[what]);
    }
    if (text.length == 0)
        buffer_append_format(&text, "no step was running");
    return buffer_steal(&text);
}

static void describe_end(const struct session_worker *worker, struct osiris_error *error)
{
    const struct osiris_worker_exit *end = &worker->end;
    _cleanup_free_ char *busy = busy_steps(worker);
    const char *steps = busy == NULL ? "steps were running" : busy;
    const char *name;

    if (worker->has_left) {
        osiris_error_prefix(error, "the worker ended the session while %s", steps);
    } else if (worker->killed) {
        osiris_error_prefix(error, "the worker was killed while %s", steps);
    } else if (end->state == OSIRIS_WORKER_SIGNALLED) {
        name = sigabbrev_np(end->code);
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "the worker was killed by SIG%s while %s",
                         name == NULL ? "?" : name, steps);
    } else if (end->state == OSIRIS_WORKER_EXITED) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "the worker exited with status %d while %s", end->code,
                         steps);
    } else {
        osiris_error_prefix(error, "lost the worker while %s", steps);
    }
}

/* The step that the worker's crash handler has named, if the worker was busy with it; otherwise PLAN_NONE. */
static size_t find_crashed_step(const struct session_worker *worker)
{
    const char *signal_name = worker->end.state == OSIRIS_WORKER_SIGNALLED ? sigabbrev_np(worker->end.code) : NULL;
    char what[32] = "out of memory";

    if (signal_name != NULL)
        snprintf(what, sizeof what, "SIG%s", signal_name);
    size_t found = plan_find_step(worker->place->session->plan, worker_log_crashed_step(worker->log, what));
    return found != PLAN_NONE && activity(worker, found) != IDLE ? found : PLAN_NONE;
}

/* The only step that the worker was busy with; PLAN_NONE if there was none or more than one. */
static size_t find_only_step(const struct session_worker *worker)
{
    size_t found = PLAN_NONE;

    for (size_t i = 0; i < worker->place->session->plan->step_count; i++)
        if (activity(worker, i) != IDLE) {
            if (found != PLAN_NONE)
                return PLAN_NONE;
            found = i;
        }
    return found;
}

static void blame_step(const struct session_worker *worker, struct osiris_error *error)
{
    const struct session *session = worker->place->session;
    size_t found = worker->log == NULL ? PLAN_NONE : find_crashed_step(worker);

    if (found == PLAN_NONE)
        found = find_only_step(worker);
    if (found == PLAN_NONE || error->step_id != NULL)
        return;
    error->step_id = strdup(session->steps[found].id);
    error->component = strdup(session->steps[found].component);
}

void worker_explain_end(const struct session_worker *worker, struct osiris_error *error)
{
    _cleanup_free_ char *words = worker->log == NULL ? NULL : worker_log_last_lines(worker->log);

    describe_end(worker, error);
    if (words != NULL && words[0] != '\0')
        osiris_error_hint(error, "its last output: %s", words);
    free(error->type);
    error->type = strdup("WorkerCrashError");
    if (error->category != OSIRIS_ERROR_CANCELLED)
        error->category = OSIRIS_ERROR_INTERNAL;
    error->retryable = true;
    blame_step(worker, error);
}
