/* The poll loop; see loop.h. */
#include "orchestrator/session/loop.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "orchestrator/session/artifacts.h"
#include "orchestrator/session/attempts.h"
#include "orchestrator/session/deadlines.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/pause.h"
#include "orchestrator/session/place.h"
#include "orchestrator/session/receive.h"
#include "orchestrator/session/reports.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/settle.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/worker.h"

#define FLUSH_INTERVAL_MS 250

/* Signals: the first cancels, the second kills. A second SIGHUP does not, because kernel and shell both send one when a terminal closes. */

static void cancel(struct session *session, int signal_number)
{
    const struct session_options *options = session->options;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    session->result->signal_number = signal_number;
    /* The steps have already ended. */
    if (session->phase >= SESSION_ENDING) {
        session_hurry_adapters(session, session->limits.cancel_grace_ms);
        return;
    }
    session_cancel_adapters(session);
    osiris_error_set(&error, OSIRIS_ERROR_CANCELLED, "cancelled by SIG%s", sigabbrev_np(signal_number));
    session_fail(session, &error);
    if (options->observer != NULL && options->observer->cancelling != NULL)
        options->observer->cancelling(options->observer_context, signal_number);
    session_send_cancel(session);
}

static void take_signal(struct session *session, int signal_number)
{
    if (session->result->signal_number == 0)
        cancel(session, signal_number);
    else if (signal_number != SIGHUP && session->phase >= SESSION_ENDING)
        session_hurry_adapters(session, 0);
    else if (signal_number != SIGHUP)
        session_fail_workers(session, OSIRIS_ERROR_CANCELLED, "killed by a second signal");
}

static void read_signals(struct session *session)
{
    struct signalfd_siginfo info;

    while (read(session->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        for (int count = signal_tally_take(&session->signals, &info); count > 0; count--)
            take_signal(session, (int)info.ssi_signo);
}

/* Execution: steps and groups. */

static void start_step(struct session *session, size_t index)
{
    const struct session_options *options = session->options;
    const struct session_step *step = &session->steps[index];
    int64_t attempt = session->groups[step->plan->group].attempt;
    json_object *fields = json_object_new_object();

    json_add_string(fields, "step_id", step->id);
    json_add_string(fields, "driver", step->plan->driver);
    json_add_integer(fields, "attempt", attempt);
    session_event(session, EVENT_STEP_START, fields);
    rundir_note(options->rundir, step->id, "started (%s), attempt %lld", step->component, (long long)attempt);
    if (options->observer != NULL && options->observer->step_started != NULL)
        options->observer->step_started(options->observer_context, step->id, step->component);
    session_send_step(session, index);
}

static bool any_is_getting_ready(const struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (session->workers[i].phase == WORKER_GREETING || session->workers[i].phase == WORKER_PREPARING)
            return true;
    return false;
}

static void clean_up(struct session *session)
{
    if (!session->cleaning)
        session_event(session, EVENT_CLEANUP_START, NULL);
    session->cleaning = true;
    for (size_t i = 0; i < session->worker_count; i++)
        if (session->workers[i].phase == WORKER_RUNNING)
            worker_send_cleanup(&session->workers[i]);
}

static void schedule_actions(struct session *session)
{
    size_t index;

    for (;;) {
        switch (schedule_next(session->schedule, &index)) {
        case SCHEDULE_START_STEP:
            start_step(session, index);
            break;
        case SCHEDULE_COMMIT:
            session_send_commit(session, index);
            break;
        case SCHEDULE_ABORT:
            session_send_abort(session, index);
            break;
        case SCHEDULE_PAUSE:
            session_pause_group(session, index);
            break;
        case SCHEDULE_NOTHING:
            return;
        }
    }
}

static void execute(struct session *session)
{
    if (session->cleaning)
        return;
    session_resume(session);
    schedule_actions(session);
    if (schedule_finished(session->schedule) && !any_is_getting_ready(session))
        clean_up(session);
}

/* Phases. */

static void phase_event(struct session *session, enum own_event event)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "adapter", session->options->adapter);
    session_event(session, event, fields);
}

static void execution_error(struct session *session)
{
    json_object *fields = json_object_new_object();

    json_add_string(fields, "adapter", session->options->adapter);
    json_add_string(fields, "error", session->failure.message);
    json_add_string(fields, "error_type", session_error_type(&session->failure));
    session_event(session, EVENT_ADAPTER_EXECUTION_ERROR, fields);
}

/* The rows that writers have written, or, if there are none, the rows that extractors have read. */
static int64_t total_rows(const struct session *session)
{
    int64_t written = 0, read = 0;

    for (size_t i = 0; i < session->plan->step_count; i++) {
        if (session->plan->steps[i].kind == PLAN_WRITER)
            written += session->steps[i].rows;
        else if (session->plan->steps[i].kind == PLAN_EXTRACTOR)
            read += session->steps[i].rows;
    }
    return written > 0 ? written : read;
}

static void begin_preparing(struct session *session)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    phase_event(session, EVENT_ADAPTER_PREPARE_START);
    if (session_prepare_places(session, &error) < 0)
        session_fail(session, &error);
}

static void begin_executing(struct session *session)
{
    session->phase = SESSION_EXECUTING;
    phase_event(session, EVENT_ADAPTER_PREPARE_COMPLETE);
    phase_event(session, EVENT_ADAPTER_EXECUTE_START);
    session->executing_ns = clock_monotonic_ns();
    session_start_workers(session);
}

static void begin_closing(struct session *session)
{
    session->phase = SESSION_CLOSING;
    execution_error(session);
}

static void begin_ending(struct session *session)
{
    json_object *fields = json_object_new_object();

    session->phase = SESSION_ENDING;
    json_add_integer(fields, "steps_executed", (int64_t)session->result->steps_completed);
    json_add_integer(fields, "total_rows", total_rows(session));
    session_event(session, EVENT_CLEANUP_COMPLETE, fields);
    session_end_workers(session);
}

/* If everything has been published nevertheless, a late signal or timeout has stopped nothing. */
static void clear_late_failure(struct session *session)
{
    if (!schedule_succeeded(session->schedule) ||
        (session->failure.category != OSIRIS_ERROR_CANCELLED && !session->timed_out && !session->late_commit))
        return;
    osiris_error_clear(&session->failure);
    session->result->signal_number = 0;
}

static void begin_leaving(struct session *session)
{
    json_object *fields = json_object_new_object();

    for (size_t i = 0; i < session->place_count; i++)
        place_report_dropped(&session->places[i]);
    clear_late_failure(session);
    json_add_string(fields, "adapter", session->options->adapter);
    json_add_boolean(fields, "success", session->failure.category == 0);
    session_event(session, EVENT_ADAPTER_EXECUTE_COMPLETE, fields);
    if (session->failure.category != 0)
        execution_error(session);
    rundir_own_metric(session->options->rundir, METRIC_ADAPTER_EXECUTION_DURATION,
                  (double)(clock_monotonic_ns() - session->executing_ns) / 1e9, "seconds", NULL);
    phase_event(session, EVENT_ADAPTER_COLLECT_START);
    session->phase = SESSION_LEAVING;
}

static void end(struct session *session)
{
    if (session->phase == SESSION_LEAVING) {
        session_sweep_artifacts(session);
        phase_event(session, EVENT_ADAPTER_COLLECT_COMPLETE);
    }
    session->phase = SESSION_DONE;
}

static bool any_is_busy(const struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (place_is_busy(&session->places[i]))
            return true;
    return false;
}

/* Whether a place is being prepared whose worker is needed. */
static bool any_prepares(const struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (session->workers[i].phase == WORKER_FAILED ||
            (session->workers[i].place->phase == PLACE_PREPARING && session->workers[i].phase == WORKER_ABSENT))
            return true;
    return false;
}

static bool all_are_over(const struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (!worker_is_over(&session->workers[i]))
            return false;
    /* Otherwise lost workers may be replaced. */
    return schedule_is_stopping(session->schedule) || schedule_finished(session->schedule);
}

static void advance(struct session *session)
{
    switch (session->phase) {
    case SESSION_PREPARING:
        if (any_prepares(session))
            return;
        if (session->failure.category != 0)
            begin_closing(session);
        else
            begin_executing(session);
        return;
    case SESSION_EXECUTING:
        execute(session);
        if (all_are_over(session))
            begin_ending(session);
        return;
    case SESSION_ENDING:
        if (!any_is_busy(session))
            begin_leaving(session);
        return;
    case SESSION_LEAVING:
    case SESSION_CLOSING:
        if (session_leave_places(session, session->phase == SESSION_LEAVING))
            end(session);
        return;
    case SESSION_DONE:
        return;
    }
}

/* Waiting for events, and handling them. */

#define FDS_OF_PLACES 2
#define FDS_OF_WORKERS(session) (FDS_OF_PLACES + (session)->place_count)
#define FDS_A_WORKER 4

static nfds_t fill_fds(const struct session *session, struct pollfd *fds)
{
    nfds_t count = 0;

    fds[count++] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = session_files_fd(session), .events = POLLIN};
    for (size_t i = 0; i < session->place_count; i++) {
        const struct adapter_thread *adapter = session->places[i].adapter;
        fds[count++] = (struct pollfd){.fd = adapter == NULL ? -1 : adapter_thread_fd(adapter), .events = POLLIN};
    }
    for (size_t i = 0; i < session->worker_count; i++) {
        const struct session_worker *worker = &session->workers[i];
        bool there = worker_is_reachable(worker);
        fds[count++] = (struct pollfd){.fd = there ? channel_fd(worker->channel) : -1,
                                       .events = there ? channel_poll_events(worker->channel) : 0};
        fds[count++] = (struct pollfd){.fd = there ? channel_output_fd(worker->channel) : -1,
                                       .events = there ? channel_output_events(worker->channel) : 0};
        fds[count++] = (struct pollfd){.fd = there ? channel_wake_fd(worker->channel) : -1, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = worker->log == NULL ? -1 : worker_log_fd(worker->log), .events = POLLIN};
    }
    return count;
}

static int poll_timeout(const struct session *session)
{
    int64_t now = clock_monotonic_ms();
    int64_t next = session_next_deadline(session);

    if (session->phase == SESSION_EXECUTING)
        next = clock_earlier(next, session_next_resumption(session));
    next = clock_earlier(next, now + FLUSH_INTERVAL_MS);
    return next <= now ? 0 : (int)(next - now);
}

/* Without poll nothing can be received from workers, only from adapters. */
static void cannot_poll(struct session *session)
{
    const struct timespec moment = {.tv_nsec = 10000000};

    session_fail_workers(session, OSIRIS_ERROR_INTERNAL, "cannot poll");
    for (size_t i = 0; i < session->place_count; i++)
        place_handle_outcome(&session->places[i]);
    (void)nanosleep(&moment, NULL);
}

static void serve(struct session *session, const struct pollfd *fds)
{
    if (fds[0].revents != 0)
        read_signals(session);
    if (fds[1].revents != 0)
        session_take_file_events(session);
    for (size_t i = 0; i < session->worker_count; i++) {
        struct session_worker *worker = &session->workers[i];
        const struct pollfd *own = &fds[FDS_OF_WORKERS(session) + FDS_A_WORKER * i];
        short link = own[0].revents | own[1].revents;
        if (own[3].revents != 0 && worker->log != NULL)
            worker_log_read(worker->log);
        if ((link != 0 || own[2].revents != 0) && worker_is_reachable(worker))
            worker_receive(worker, link);
    }
    for (size_t i = 0; i < session->place_count; i++)
        if (fds[FDS_OF_PLACES + i].revents != 0)
            place_handle_outcome(&session->places[i]);
}

static void wait_for_others(struct session *session, struct pollfd *fds)
{
    int timeout_ms = poll_timeout(session);

    pause_expect(&session->watch, clock_monotonic_ms(), timeout_ms);
    int ready = poll(fds, fill_fds(session, fds), timeout_ms);
    int reason = errno;
    session_extend_for_pause(session);
    if (ready > 0)
        serve(session, fds);
    else if (ready < 0 && reason != EINTR)
        cannot_poll(session);
}

/* Called in every round, because the loop may be too busy to ever wait. */
static void flush_records(struct session *session)
{
    int64_t now = clock_monotonic_ms();

    if (now < session->next_flush_ms)
        return;
    rundir_flush(session->options->rundir);
    session->next_flush_ms = now + FLUSH_INTERVAL_MS;
}

/* Returns when there is nothing left to do but wait. */
static void settle_and_advance(struct session *session)
{
    enum session_phase phase;

    do {
        phase = session->phase;
        (void)session_settle(session);
        advance(session);
    } while (session_settle(session) || phase != session->phase);
}

void session_loop(struct session *session)
{
    struct pollfd *fds = calloc(FDS_OF_WORKERS(session) + FDS_A_WORKER * session->worker_count, sizeof *fds);

    begin_preparing(session);
    for (;;) {
        settle_and_advance(session);
        if (session->phase == SESSION_DONE)
            break;
        wait_for_others(session, fds);
        session_forward_credits(session);
        session_read_on(session);
        session_check_deadlines(session);
        flush_records(session);
    }
    free(fds);
}
