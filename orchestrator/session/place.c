/* One place of a run: its adapter, its worker, its channel, and how these end; see state.h. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/wire/body.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "orchestrator/session/state.h"

#define BODIES_A_POLL 8 /* taken in before the loop looks at other places */
#define UNASKED_MS 500 /* a worker that is reached again may have missed its orchestrator's leaving */

/* Which places there are. */

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

/* A step without a place of its own is in the one that --adapter names. */
static const char *place_name(const struct session *session, json_object *plan_step)
{
    const char *name = json_member_string(plan_step, "place", "default");

    return strcmp(name, "default") == 0 ? session->options->adapter : name;
}

/* The files of the drivers that the place's steps name, each once; NULL-terminated, strings borrowed. */
static const char **driver_paths(const struct session *session, size_t place)
{
    const char **paths = calloc(session->step_count + 1, sizeof *paths);
    size_t count = 0;

    for (size_t i = 0; i < session->step_count; i++) {
        const char *driver =
            json_member_string(schedule_step(session->schedule, i), "driver", "");
        const struct component *component =
            registry_find(session->options->registry, driver, NULL);
        size_t known = 0;
        while (component != NULL && known < count && strcmp(paths[known], component->file) != 0)
            known++;
        if (session->steps[i].place == place && component != NULL && known == count)
            paths[count++] = component->file;
    }
    return paths;
}

static void init_place(struct session *session, size_t index)
{
    const struct session_options *options = session->options;
    struct session_place *place = &session->places[index];

    if (strcmp(place->name, options->adapter) == 0 && place->adapter_options == NULL)
        place->adapter_options = options->adapter_options;
    place->driver_paths = driver_paths(session, index);
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

void session_make_places(struct session *session)
{
    session->places = calloc(session->step_count + 1, sizeof *session->places);
    for (size_t i = 0; i < session->step_count; i++)
        session->steps[i].place =
            find_place(session, place_name(session, schedule_step(session->schedule, i)));
    for (size_t i = 0; i < session->place_count; i++)
        init_place(session, i);
    adapter_guard_watch();
}

void session_free_places(struct session *session)
{
    for (size_t i = 0; i < session->place_count; i++) {
        struct session_place *place = &session->places[i];
        channel_free(place->channel);
        worker_log_free(place->worker_log);
        place_settle(place);
        adapter_thread_free(place->adapter);
        json_object_put(place->codecs);
        free(place->requests);
        free(place->driver_paths);
        body_free(place->body);
        body_pool_free(place->pool);
    }
    free(session->places);
}

/* Ending. */

bool place_is_over(const struct session_place *place)
{
    return place->phase == PLACE_ENDED || place->phase == PLACE_BROKEN;
}

bool place_is_there(const struct session_place *place)
{
    return place->channel != NULL && !place_is_over(place);
}

/* What the worker is at with a step. */
enum step_activity { IDLE, RUNNING, COMMITTING, CLOSING };

static enum step_activity activity(const struct session_place *place, size_t step)
{
    const struct session *session = place->session;
    size_t group = schedule_step_group(session->schedule, step);

    if (&session->places[session->steps[step].place] != place)
        return IDLE;
    if (schedule_step_state(session->schedule, step) == STEP_REQUESTED)
        return RUNNING;
    if (schedule_group_state(session->schedule, group) != GROUP_COMMITTING)
        return IDLE;
    return place_has_published(place, group) ? CLOSING : COMMITTING;
}

/* From `first` on: how many steps the worker is at something alike with; *next is the first step behind them. */
static size_t count_alike(const struct session_place *place, size_t first, size_t *next)
{
    enum step_activity what = activity(place, first);
    size_t count = 0, i = first;

    for (; i < place->session->step_count; i++) {
        enum step_activity now = activity(place, i);
        if (now != IDLE && now != what)
            break;
        count += now == what;
    }
    *next = i;
    return count;
}

/* "steps \"a\" (x.extractor), \"b\" (y.processor) and \"c\" (z.writer) were running" */
static char *busy_steps(const struct session_place *place)
{
    static const char *const verbs[] = {
        [RUNNING] = "running",
        [COMMITTING] = "being committed (what it wrote may have been published)",
        [CLOSING] = "being closed"};
    const struct session *session = place->session;
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 16);

    for (size_t i = 0, next; i < session->step_count; i = next) {
        enum step_activity what = activity(place, i);
        next = i + 1;
        if (what == IDLE)
            continue;
        size_t count = count_alike(place, i, &next);
        buffer_append_format(&text, "%s%s ", text.length > 0 ? " and " : "", count > 1 ? "steps" : "step");
        for (size_t told = 0; told < count; i++) {
            if (activity(place, i) != what)
                continue;
            const char *before = told == 0 ? "" : told + 1 == count ? " and " : ", ";
            buffer_append_format(&text, "%s\"%s\" (%s)", before, session->steps[i].id,
                                 session->steps[i].component);
            told++;
        }
        buffer_append_format(&text, " %s %s", count > 1 ? "were" : "was", verbs[what]);
    }
    if (text.length == 0)
        buffer_append_format(&text, "no step was running");
    return buffer_steal(&text);
}

static void describe_end(const struct session_place *place, const struct osiris_worker_exit *end,
                         struct osiris_error *error)
{
    _cleanup_free_ char *busy = busy_steps(place);
    const char *steps = busy == NULL ? "steps were running" : busy;
    const char *name;

    if (place->has_left) {
        osiris_error_prefix(error, "the worker ended the session while %s", steps);
    } else if (place->killed) {
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

/* The worker's crash handler names the step whose thread it was (on_crash in worker/lifecycle.c). A driver could print the same: so
 * only the signal and the steps that there were are looked for. step_count: it is not known. */
static size_t find_crashed_step(const struct session_place *place, const struct osiris_worker_exit *end)
{
    const struct session *session = place->session;
    const char *signal_name = end->state == OSIRIS_WORKER_SIGNALLED ? sigabbrev_np(end->code) : NULL;
    char what[32] = "out of memory";

    if (signal_name != NULL)
        snprintf(what, sizeof what, "SIG%s", signal_name);
    for (size_t i = 0; i < session->step_count; i++) {
        if (activity(place, i) == IDLE)
            continue;
        _cleanup_free_ char *line = memory_format("osiris-worker: %s in step \"%s\" (%s)", what, session->steps[i].id,
                                                  session->steps[i].component);
        if (worker_log_has_said(place->worker_log, line))
            return i;
    }
    return session->step_count;
}

/* The step that can be to blame, if there is only one. */
static size_t find_only_step(const struct session_place *place)
{
    const struct session *session = place->session;
    size_t found = session->step_count;

    for (size_t i = 0; i < session->step_count; i++)
        if (activity(place, i) != IDLE) {
            if (found != session->step_count)
                return session->step_count;
            found = i;
        }
    return found;
}

static void blame_step(const struct session_place *place, const struct osiris_worker_exit *end,
                       struct osiris_error *error)
{
    const struct session *session = place->session;
    size_t found = find_crashed_step(place, end);

    if (found == session->step_count)
        found = find_only_step(place);
    if (found == session->step_count || error->step_id != NULL)
        return;
    error->step_id = strdup(session->steps[found].id);
    error->component = strdup(session->steps[found].component);
}

/* Tells a peer that breaks the rules why it is left; if it cannot hear it, so be it. */
static void say_why(struct session_place *place, const struct osiris_error *error)
{
    _cleanup_json_ json_object *message = json_object_new_object();
    bool end;

    if (!error->violation)
        return;
    json_add_string(message, "type", "error");
    json_add(message, "data", osiris_error_to_json(error));
    if (channel_send(place->channel, message, false, NULL) == 0)
        (void)channel_pump(place->channel, &end, NULL);
}

void place_break(struct session_place *place, struct osiris_error *error)
{
    struct osiris_worker_exit end;

    if (place_is_over(place)) {
        osiris_error_clear(error);
        return;
    }
    place->phase = PLACE_BROKEN;
    /* What is wrong with a stream is said with names of its columns. */
    redactor_error(place->session->options->redactor, error);
    if (place->channel != NULL) {
        say_why(place, error);
        channel_shutdown(place->channel);
    }
    /* A worker that has just died is not always a zombie yet when its socket has closed. */
    adapter_thread_worker_exit(place->adapter, place->killed ? 2000 : 1000, &end);
    if (end.state == OSIRIS_WORKER_RUNNING) {
        adapter_thread_terminate(place->adapter, OSIRIS_TERMINATE_KILL);
        place->killed = true;
    }
    if (place->worker_log != NULL)
        worker_log_drain(place->worker_log);
    describe_end(place, &end, error);
    _cleanup_free_ char *words =
        place->worker_log == NULL ? NULL : worker_log_last_words(place->worker_log);
    if (words != NULL && words[0] != '\0')
        osiris_error_hint(error, "its last words: %s", words);
    free(error->type);
    error->type = strdup("WorkerCrashError");
    if (error->category != OSIRIS_ERROR_CANCELLED)
        error->category = OSIRIS_ERROR_INTERNAL;
    error->retryable = true;
    blame_step(place, &end, error);
    session_place_lost(place, error);
    place_forget_requests(place);
}

void place_break_with(struct session_place *place, int category, const char *message)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, category, "%s", message);
    place_break(place, &error);
}

void place_kill(struct session_place *place)
{
    place->killed = true;
    if (place->adapter != NULL)
        adapter_thread_terminate(place->adapter, OSIRIS_TERMINATE_KILL);
}

/* Its last answer is acknowledged, so that it need not wait for a new link to give it again. */
static void leave(struct session_place *place)
{
    bool resumable = channel_is_resumable(place->channel);
    struct osiris_worker_exit end;

    if (resumable && place->phase == PLACE_ENDED)
        channel_acknowledge_all(place->channel);
    channel_free(place->channel);
    place->channel = NULL;
    if (!resumable)
        return;
    adapter_thread_worker_exit(place->adapter, UNASKED_MS, &end);
    if (end.state == OSIRIS_WORKER_RUNNING)
        adapter_thread_terminate(place->adapter, OSIRIS_TERMINATE_ASK);
}

void place_note_end(struct session_place *place, const struct adapter_worker_end *end)
{
    struct session *session = place->session;
    char text[96];

    if (end->killed_after_ms > 0) {
        snprintf(text, sizeof text, "the worker did not end within %lld ms; it was killed",
                 (long long)end->killed_after_ms);
        session_log(session, OSIRIS_WARNING, "worker", text);
    }
    if (place->worker_log != NULL)
        worker_log_drain(place->worker_log);
    worker_log_free(place->worker_log);
    place->worker_log = NULL;
    if (end->exit.state != OSIRIS_WORKER_RUNNING)
        rundir_metric(session->options->rundir, "adapter_exit_code",
                      end->exit.state == OSIRIS_WORKER_SIGNALLED ? 128 + end->exit.code
                                                                 : end->exit.code,
                      NULL, NULL);
}

void place_end_worker(struct session_place *place)
{
    struct adapter_worker_end end;

    place_settle(place);
    if (place->adapter == NULL || (place->worker_log == NULL && place->channel == NULL))
        return;
    if (place->channel != NULL)
        leave(place);
    adapter_thread_end_worker(place->adapter, (int)place->session->limits.exit_ms, &end);
    place_note_end(place, &end);
}

/* Receiving. */

static void was_heard(struct session_place *place)
{
    place->last_heard_ms = clock_monotonic_ms();
    /* More of a body: nothing else can come in between. */
    if (place->takes_body)
        session_hear_of_streams(place, place->last_heard_ms);
}

void place_receive(struct session_place *place, short revents)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    bool end = false;
    int pumped = channel_pump_ready(place->channel, revents, &end, &error), bodies = 1;

    /* What came before the end or the fault still counts. */
    while (!place_is_over(place)) {
        struct osiris_error violation = OSIRIS_ERROR_INIT;
        size_t body_length;
        _cleanup_json_ json_object *message =
            channel_receive_body(place->channel, &body_length, &violation);
        if (message != NULL) {
            if (body_length > 0)
                place->takes_body = false;
            place_handle(place, message, body_length);
            continue;
        }
        if (violation.category != 0) {
            osiris_error_clear(&error);
            place_break(place, &violation);
            return;
        }
        if (pumped <= 0 || end || bodies++ == BODIES_A_POLL || !channel_goes_on(place->channel))
            break;
        pumped = channel_pump_ready(place->channel, POLLIN, &end, &error);
    }
    if (place_is_over(place))
        osiris_error_clear(&error);
    else if (pumped < 0)
        place_break(place, &error);
    else if (end)
        place_break_with(place, OSIRIS_ERROR_INTERNAL, "it closed its channel");
    else if (channel_was_heard(place->channel))
        was_heard(place);
}
