/* Places; see place.h. */
#include "orchestrator/session/place.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/wire/body.h"
#include "orchestrator/adapter/guard.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/home.h"
#include "orchestrator/session/link.h"
#include "orchestrator/session/notes.h"
#include "orchestrator/session/orphans.h"
#include "orchestrator/session/reports.h"
#include "orchestrator/session/requests.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/trace.h"
#include "orchestrator/session/worker.h"

#define UNASKED_MS 500 /* a worker that was reconnected may not have noticed that its orchestrator has left */
/* A worker whose socket has closed may take a moment to become a zombie. */
#define DYING_MS 1000
#define KILLED_MS 2000

/* Making places. */

static size_t find_place(struct session *session, const char *name)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (strcmp(session->places[i].name, name) == 0)
            return i;
    json_object *known = json_member(session->options->places, name);
    session->places[session->place_count] = (struct session_place){
        .session = session,
        .name = name,
        .adapter_name = json_member_string(known, "adapter", name),
        .adapter_options = json_member(known, "options")};
    return session->place_count++;
}

/* A step without run_on runs in the place that --adapter names. */
static const char *place_name(const struct session *session, const struct plan_step *step)
{
    return strcmp(step->place, "default") == 0 ? session->options->adapter : step->place;
}

static bool runs_in(const struct session_step *step, const struct session_place *place)
{
    return step->worker >= place->workers && step->worker < place->workers + WORKERS_A_PLACE;
}

/* The drivers of the place's steps, without duplicates. */
static void find_drivers(struct session_place *place)
{
    const struct session *session = place->session;

    place->drivers = calloc(session->plan->step_count + 1, sizeof *place->drivers);
    for (size_t i = 0; i < session->plan->step_count; i++) {
        const struct session_step *step = &session->steps[i];
        size_t known = 0;
        if (step->driver == NULL || !runs_in(step, place))
            continue;
        while (known < place->driver_count && place->drivers[known] != step->driver)
            known++;
        if (known == place->driver_count)
            place->drivers[place->driver_count++] = step->driver;
    }
}

/* Their files, without duplicates; NULL-terminated, strings borrowed. */
static const char **driver_paths(const struct session_place *place)
{
    const char **paths = calloc(place->driver_count + 1, sizeof *paths);
    size_t count = 0;

    for (size_t i = 0; i < place->driver_count; i++) {
        size_t known = 0;
        while (known < count && strcmp(paths[known], place->drivers[i]->file) != 0)
            known++;
        if (known == count)
            paths[count++] = place->drivers[i]->file;
    }
    return paths;
}

static void init_place(struct session_place *place)
{
    const struct session *session = place->session;
    const struct session_options *options = session->options;

    if (strcmp(place->name, options->adapter) == 0 && place->adapter_options == NULL)
        place->adapter_options = options->adapter_options;
    find_drivers(place);
    place->driver_paths = driver_paths(place);
    place->context = (struct osiris_adapter_context){
        .struct_size = sizeof place->context,
        .manifest = json_text(options->compiled->manifest, JSON_C_TO_STRING_PLAIN, NULL),
        .worker_path = options->worker_path,
        .driver_paths = place->driver_paths,
        .environment = (const char *const *)session->environment,
        .run_dir = rundir_path(options->rundir),
        .artifacts_dir = rundir_artifacts_path(options->rundir),
        .standard_output = options->gives_stdout ? STDOUT_FILENO : -1,
    };
}

static void make_workers(struct session *session)
{
    session->worker_count = session->place_count * WORKERS_A_PLACE;
    session->workers = calloc(session->worker_count + 1, sizeof *session->workers);
    for (size_t i = 0; i < session->worker_count; i++)
        session->workers[i].place = &session->places[i / WORKERS_A_PLACE];
    for (size_t i = 0; i < session->place_count; i++)
        session->places[i].workers = &session->workers[i * WORKERS_A_PLACE];
}

void session_make_places(struct session *session)
{
    const struct plan *plan = session->plan;

    session->places = calloc(plan->step_count + 1, sizeof *session->places);
    for (size_t i = 0; i < plan->step_count; i++)
        (void)find_place(session, place_name(session, &plan->steps[i]));
    make_workers(session);
    for (size_t i = 0; i < plan->step_count; i++)
        session->steps[i].worker = session->places[find_place(session, place_name(session, &plan->steps[i]))].workers;
    for (size_t i = 0; i < session->place_count; i++)
        init_place(&session->places[i]);
    adapter_guard_watch();
}

static void clear_worker(struct session_worker *worker)
{
    channel_free(worker->channel);
    worker_log_free(worker->log);
    json_object_put(worker->codecs);
    free(worker->requests);
    body_free(worker->body);
    body_pool_free(worker->pool);
    osiris_error_clear(&worker->failure);
}

void session_free_places(struct session *session)
{
    for (size_t i = 0; i < session->worker_count; i++)
        clear_worker(&session->workers[i]);
    for (size_t i = 0; i < session->place_count; i++) {
        adapter_thread_free(session->places[i].adapter);
        free(session->places[i].drivers);
        free(session->places[i].driver_paths);
    }
    free(session->workers);
    free(session->places);
    session->workers = NULL;
    session->places = NULL;
    session->worker_count = session->place_count = 0;
}

/* Tasks for adapters. */

static void begin_task(struct session_place *place, enum place_phase phase, enum adapter_task task,
                       const struct adapter_patience *patience)
{
    place->phase = phase;
    adapter_thread_begin(place->adapter, task, patience);
}

static int make_adapter(struct session_place *place, struct osiris_error *error)
{
    const struct session_options *options = place->session->options;
    const struct adapter_host_options host_options = {
        .name = place->adapter_name,
        .options = place->adapter_options,
        .adapter_path = options->adapter_path,
        .adapter_dir = options->adapter_dir,
        .run_id = options->run_id,
        .redactor = options->redactor,
        .sink = &place->session->sink,
        .context = &place->context,
        .place = place->name,
        .make_bundle = options->make_bundle,
        .components = place->drivers,
        .component_count = place->driver_count,
    };

    place->adapter = adapter_thread_new(&host_options, error);
    return place->adapter == NULL ? -1 : 0;
}

int session_prepare_places(struct session *session, struct osiris_error *error)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (make_adapter(&session->places[i], error) < 0)
            return -1;
    for (size_t i = 0; i < session->place_count; i++)
        begin_task(&session->places[i], PLACE_PREPARING, ADAPTER_PREPARE, NULL);
    return 0;
}

void session_start_workers(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].phase == PLACE_PREPARED)
            begin_task(&session->places[i], PLACE_STARTING, ADAPTER_EXECUTE, NULL);
}

static void free_channel(struct session_worker *worker)
{
    channel_free(worker->channel);
    worker->channel = NULL;
}

void place_restart(struct session_place *place)
{
    json_object *fields = json_object_new_object();
    struct session_worker *worker = place->workers;

    json_add_string(fields, "place", place->name);
    session_event(place->session, EVENT_WORKER_RESTART, fields);
    free_channel(worker);
    worker->phase = WORKER_ABSENT;
    begin_task(place, PLACE_LEAVING, ADAPTER_LEAVE, NULL);
}

bool place_is_busy(const struct session_place *place)
{
    return place->phase == PLACE_PREPARING || place->phase == PLACE_STARTING || place->phase == PLACE_RECONNECTING ||
           place->phase == PLACE_AWAITING || place->phase == PLACE_LEAVING;
}

bool place_await_failed(struct session_place *place)
{
    const struct session *session = place->session;
    const struct session_worker *worker = place->workers;
    const struct adapter_patience patience = {
        .kill_ms = worker->killed ? KILLED_MS : DYING_MS,
        .exit_ms = (int)session->limits.exit_ms,
    };

    if (place->adapter == NULL || (place->phase != PLACE_STARTED && place->phase != PLACE_RECONNECTING))
        return false;
    if (place->phase == PLACE_STARTED) {
        begin_task(place, PLACE_AWAITING, ADAPTER_AWAIT, &patience);
        place->deadline_ms = clock_monotonic_ms() + patience.kill_ms + 2 * session->limits.exit_ms;
    } else if (place->deadline_ms == 0) {
        place->deadline_ms = clock_monotonic_ms() + session->limits.exit_ms;
    }
    return true;
}

/* The worker's last answer is acknowledged, so that it does not wait for a new link to send it again. Then it closes the link and exits:
 * if this side closed it first, whatever carries the link might drop the acknowledgement. */
static void end_worker(struct session_place *place)
{
    struct session_worker *worker = place->workers;
    bool resumable = worker->channel != NULL && channel_is_resumable(worker->channel);
    const int exit_ms = (int)place->session->limits.exit_ms;
    const struct adapter_patience patience = {
        .ask_ms = resumable ? UNASKED_MS : 0,
        .kill_ms = exit_ms,
        .exit_ms = exit_ms,
    };

    if (resumable && worker->phase == WORKER_ENDED)
        channel_acknowledge_all(worker->channel);
    else
        free_channel(worker);
    begin_task(place, PLACE_AWAITING, ADAPTER_AWAIT, &patience);
    place->deadline_ms = clock_monotonic_ms() + 3 * (int64_t)exit_ms;
}

void session_end_workers(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        if (place->phase == PLACE_STARTED)
            end_worker(place);
        else if (place_is_busy(place))
            place->deadline_ms = clock_monotonic_ms() + session->limits.exit_ms;
    }
}

bool session_leave_places(struct session *session, bool collects)
{
    bool all_left = true;

    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        bool was_busy = place_is_busy(place);
        if (was_busy && place->phase != PLACE_LEAVING && place->deadline_ms == 0)
            place->deadline_ms = clock_monotonic_ms() + session->limits.exit_ms;
        if (!was_busy && place->adapter != NULL && !place->has_left) {
            place->has_left = true;
            place->deadline_ms = 0;
            begin_task(place, PLACE_LEAVING, collects ? ADAPTER_LEAVE : ADAPTER_CLOSE, NULL);
        }
        all_left = all_left && !place_is_busy(place);
    }
    return all_left;
}

/* The channel to a worker that was started. */

static int make_session_secret(char text[SESSION_SECRET_SIZE])
{
    unsigned char bytes[(SESSION_SECRET_SIZE - 1) / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int open_channel(struct session_worker *worker, struct osiris_channel *made, struct osiris_error *error)
{
    struct session *session = worker->place->session;

    worker->remote = (made->flags & OSIRIS_CHANNEL_REMOTE) != 0;
    worker->files_are_home = (made->flags & OSIRIS_CHANNEL_FILES_HOME) != 0;
    session->has_remote = session->has_remote || worker->remote;
    worker->log = worker_log_new(steal_fd(&made->diagnostics), session->options->redactor, worker_report_line, worker);
    int reason = errno;
    worker->channel = channel_new_over(adapter_channel_take_link(made), error);
    if (worker->channel == NULL)
        return -1;
    if (worker->log == NULL)
        return osiris_error_set_errno(error, reason, "cannot communicate with the worker");
    channel_set_destination(worker->channel, worker_body_room, worker);
    worker_trace(worker);
    if (make_session_secret(worker->session_id) < 0 || make_session_secret(worker->token) < 0)
        return osiris_error_set_errno(error, errno, "cannot communicate with the worker");
    if (worker->files_are_home && worker_serve_files(worker, error) < 0)
        return -1;
    if (adapter_thread_can_reconnect(worker->place->adapter))
        channel_allow_resumption(worker->channel, worker->session_id, worker->token, true);
    return 0;
}

/* Takes the descriptors of `made`, also on failure. */
static void greet(struct session_worker *worker, struct osiris_channel *made)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (open_channel(worker, made, &error) < 0) {
        worker_fail(worker, &error);
        return;
    }
    worker_begin_phase(worker, WORKER_GREETING, worker->place->session->limits.hello_ms);
    worker->takes_body = false;
    worker->last_received_ms = worker->last_sent_ms = clock_monotonic_ms();
    /* Both at once saves a round trip: the worker handles them in order. */
    worker_send_hello(worker);
    worker_send_prepare(worker, made);
}

/* Outcomes of tasks. */

static bool is_needed(const struct session_worker *worker)
{
    const struct session *session = worker->place->session;

    return worker->phase == WORKER_ABSENT && !schedule_is_stopping(session->schedule) &&
           !schedule_finished(session->schedule);
}

/* The place gets no worker. */
static void abandon_worker(struct session_worker *worker, struct osiris_error *error)
{
    worker->place->phase = PLACE_ENDED;
    if (worker->phase != WORKER_ABSENT)
        return;
    if (error != NULL && error->category != 0)
        worker_fail_to_start(worker, error);
    else
        worker->phase = WORKER_LOST;
}

static void finish_prepare(struct session_place *place)
{
    struct session_worker *worker = place->workers;

    place->phase = PLACE_PREPARED;
    if (!is_needed(worker))
        abandon_worker(worker, NULL);
    else if (place->session->phase == SESSION_EXECUTING)
        begin_task(place, PLACE_STARTING, ADAPTER_EXECUTE, NULL);
}

static void finish_start(struct session_place *place, struct osiris_channel *made)
{
    struct session_worker *worker = place->workers;

    /* A worker that is not needed gets no channel; the adapter ends it when it is closed. */
    place->phase = PLACE_STARTED;
    if (is_needed(worker))
        greet(worker, made);
    else
        abandon_worker(worker, NULL);
}

static void record_exit(const struct session_place *place, const struct osiris_worker_exit *end)
{
    if (end->state == OSIRIS_WORKER_EXITED || end->state == OSIRIS_WORKER_SIGNALLED)
        rundir_own_metric(place->session->options->rundir, METRIC_ADAPTER_EXIT_CODE,
                      end->state == OSIRIS_WORKER_SIGNALLED ? 128 + end->code : end->code, NULL, NULL);
}

static void finish_await(struct session_place *place, const struct adapter_worker_end *end)
{
    struct session_worker *worker = place->workers;
    char text[96];

    place->phase = PLACE_ENDED;
    place->deadline_ms = 0;
    if (worker->phase == WORKER_ENDED)
        free_channel(worker);
    worker->end = end->exit;
    worker->end_is_known = true;
    if (end->killed_after_ms > 0 && worker->phase == WORKER_FAILED) {
        worker->killed = true;
    } else if (end->killed_after_ms > 0) {
        snprintf(text, sizeof text, "the worker did not end within %lld ms; it was killed",
                 (long long)end->killed_after_ms);
        session_log(place->session, OSIRIS_WARNING, "worker", text);
    }
    if (worker->log != NULL)
        worker_log_drain(worker->log);
    record_exit(place, &end->exit);
}

static void reset_worker(struct session_worker *worker)
{
    worker_log_free(worker->log);
    json_object_put(worker->codecs);
    osiris_error_clear(&worker->failure);
    worker_forget_files(worker);
    worker->log = NULL;
    worker->codecs = NULL;
    worker->killed = worker->has_left = worker->never_started = worker->end_is_known = false;
    worker->link = (struct session_link){0};
    worker->phase_deadline_ms = 0;
}

/* Before another worker is started, and at the end of the run, when missing artifacts are a failure. */
static void finish_leave(struct session_place *place, struct adapter_outcome *outcome)
{
    struct session *session = place->session;
    bool at_the_end = session->phase >= SESSION_LEAVING;

    place->phase = PLACE_LEFT;
    if (outcome->result < 0)
        session_log(session, at_the_end ? OSIRIS_ERROR : OSIRIS_WARNING, place->name, outcome->error.message);
    if (outcome->result < 0 && at_the_end)
        session_fail(session, &outcome->error);
    if (at_the_end)
        return;
    if (session->place_count == 1)
        session_end_orphans(session);
    reset_worker(place->workers);
    if (is_needed(place->workers))
        begin_task(place, PLACE_PREPARING, ADAPTER_PREPARE, NULL);
    else
        abandon_worker(place->workers, NULL);
}

void place_handle_outcome(struct session_place *place)
{
    struct adapter_outcome outcome;

    if (place->adapter == NULL || !adapter_thread_take(place->adapter, &outcome))
        return;
    switch (outcome.task) {
    case ADAPTER_PREPARE:
        if (outcome.result < 0)
            abandon_worker(place->workers, &outcome.error);
        else
            finish_prepare(place);
        break;
    case ADAPTER_EXECUTE:
        if (outcome.result < 0)
            abandon_worker(place->workers, &outcome.error);
        else
            finish_start(place, &outcome.channel);
        break;
    case ADAPTER_RECONNECT:
        worker_finish_reconnect(place->workers, &outcome);
        break;
    case ADAPTER_AWAIT:
        if (outcome.result < 0)
            session_log(place->session, OSIRIS_WARNING, place->name, outcome.error.message);
        finish_await(place, &outcome.end);
        break;
    case ADAPTER_LEAVE:
    case ADAPTER_CLOSE:
        finish_leave(place, &outcome);
        break;
    }
    adapter_channel_clear(&outcome.channel);
    osiris_error_clear(&outcome.error);
}

/* Cancelling. */

void session_stop_starting(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        /* A place in PLACE_LEAVING may still have artifacts to collect. */
        if (place->adapter != NULL && (place->phase == PLACE_PREPARING || place->phase == PLACE_STARTING))
            adapter_thread_cancel(place->adapter);
    }
}

void session_cancel_adapters(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++)
        if (session->places[i].adapter != NULL)
            adapter_thread_cancel(session->places[i].adapter);
}

void session_hurry_adapters(struct session *session, int64_t within_ms)
{
    int64_t latest = clock_monotonic_ms() + within_ms;

    session_cancel_adapters(session);
    for (size_t i = 0; i < session->place_count; i++) {
        int64_t *deadline = &session->places[i].deadline_ms;
        *deadline = *deadline == 0 ? latest : clock_earlier(*deadline, latest);
    }
}

void place_check_deadline(struct session_place *place, int64_t now)
{
    struct session *session = place->session;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (place->deadline_ms == 0 || now < place->deadline_ms)
        return;
    place->deadline_ms = 0;
    if (!place_is_busy(place) || place->adapter == NULL)
        return;
    osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "adapter \"%.64s\" does not return; what it has created is left behind",
                     place->adapter_name);
    session_log(session, OSIRIS_WARNING, place->name, error.message);
    if (session->phase == SESSION_LEAVING && place->phase == PLACE_LEAVING)
        session_fail(session, &error);
    osiris_error_clear(&error);
    adapter_thread_free(place->adapter);
    place->adapter = NULL;
    place->phase = PLACE_LEFT;
}
