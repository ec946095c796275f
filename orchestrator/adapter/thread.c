/* An execution adapter on its own thread; see thread.h. */
#include <string.h>
#include <sys/eventfd.h>

#include "orchestrator/adapter/thread-work.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"
#include "core/base/condition.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/base/pause.h"

#define CHECKED_EVERY_MS 100 /* interval at which a waiting caller checks whether the thread still exists */
#define CALL_MS 10000 /* so long a short call may take, and a close; after that the adapter is left behind */
#define REPORTS_WAITING 256 /* with more reports, the adapter waits until they are taken */

/* Copies. */

/* A manifest may be long. */
static char *copy_text(const char *text)
{
    return text == NULL ? NULL : memory_format("%s", text);
}

/* One block of pointers; each text is allocated separately. */
static const char *const *copy_list(const char *const *list)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = copy_text(list[i]);
    return (const char *const *)copy;
}

static void free_list(const char *const *list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free((char *)list[i]);
    free((void *)list);
}

static void copy_options(struct adapter_thread *thread, const struct adapter_host_options *given)
{
    const struct osiris_adapter_context *context = given->context;

    thread->context = (struct osiris_adapter_context){
        .struct_size = sizeof thread->context,
        .manifest = copy_text(context->manifest),
        .worker_path = copy_text(context->worker_path),
        .driver_paths = copy_list(context->driver_paths),
        .environment = copy_list(context->environment),
        .run_dir = copy_text(context->run_dir),
        .artifacts_dir = copy_text(context->artifacts_dir),
        .standard_output = context->standard_output,
    };
    thread->options = (struct adapter_host_options){
        .name = copy_text(given->name),
        .adapter_path = copy_text(given->adapter_path),
        .adapter_dir = copy_text(given->adapter_dir),
        .run_id = copy_text(given->run_id),
        .options = json_copy(given->options),
        .redactor = given->redactor,
        .sink = &thread->own_sink,
        .context = &thread->context,
        .place = copy_text(given->place),
        .make_bundle = given->make_bundle,
        .components = adapter_bundle_copy_components(given->components, given->component_count),
        .component_count = given->component_count,
    };
}

static void free_report(struct report *report)
{
    free(report->name);
    free(report->text);
    json_object_put(report->fields);
    free(report);
}

static void free_thread(struct adapter_thread *thread)
{
    const struct adapter_host_options *options = &thread->options;
    const struct osiris_adapter_context *context = &thread->context;

    while (thread->first != NULL) {
        struct report *report = thread->first;
        thread->first = report->next;
        free_report(report);
    }
    osiris_error_clear(&thread->outcome.error);
    adapter_channel_clear(&thread->outcome.channel);
    free((char *)options->name);
    free((char *)options->adapter_path);
    free((char *)options->adapter_dir);
    free((char *)options->run_id);
    free((char *)options->place);
    json_object_put(options->options);
    adapter_bundle_free_components(options->components, options->component_count);
    free((char *)context->manifest);
    free((char *)context->worker_path);
    free_list(context->driver_paths);
    free_list(context->environment);
    free((char *)context->run_dir);
    free((char *)context->artifacts_dir);
    cleanup_close_value(&thread->fd);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}

/* Reports: created on the adapter's thread, taken on the owner's. */

static void wake_owner(const struct adapter_thread *thread)
{
    static const uint64_t one = 1;

    (void)!write(thread->fd, &one, sizeof one);
}

/* Takes `fields`. */
static void add_report(struct adapter_thread *thread, const struct report *given, const char *name,
                       const char *text)
{
    struct report *report = malloc(sizeof *report);
    int cancelling;

    *report = *given;
    report->name = copy_text(name);
    report->text = copy_text(text);
    /* Waiting and writing are cancellation points; a cancelled thread would keep the lock. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    pthread_mutex_lock(&thread->lock);
    while (thread->report_count >= REPORTS_WAITING && !thread->abandoned)
        pthread_cond_wait(&thread->changed, &thread->lock);
    if (thread->abandoned) {
        free_report(report);
    } else {
        *thread->end = report;
        thread->end = &report->next;
        thread->report_count++;
        wake_owner(thread);
        pthread_cond_broadcast(&thread->changed);
    }
    pthread_mutex_unlock(&thread->lock);
    (void)pthread_setcancelstate(cancelling, &cancelling);
}

static void on_log(void *context, int level, const char *source, const char *message)
{
    add_report(context, &(struct report){.kind = REPORT_LOG, .level = level}, source, message);
}

static void on_event(void *context, const char *name, json_object *fields)
{
    add_report(context, &(struct report){.kind = REPORT_EVENT, .fields = fields}, name, NULL);
}

static void on_metric(void *context, const char *name, double value, const char *unit)
{
    add_report(context, &(struct report){.kind = REPORT_METRIC, .value = value}, name, unit);
}

static bool is_cancelled(void *context)
{
    const struct adapter_thread *thread = context;

    return atomic_load(&thread->cancelled) || atomic_load(&thread->task_cancelled);
}

static void deliver(const struct adapter_sink *sink, struct report *report)
{
    switch (report->kind) {
    case REPORT_LOG:
        sink->log(sink->context, report->level, report->name, report->text);
        break;
    case REPORT_EVENT:
        sink->event(sink->context, report->name, report->fields);
        report->fields = NULL;
        break;
    case REPORT_METRIC:
        sink->metric(sink->context, report->name, report->value, report->text);
        break;
    }
}

/* The lock is held, but not while the sink is called. */
static void deliver_reports(struct adapter_thread *thread)
{
    while (thread->first != NULL) {
        struct report *report = thread->first;
        thread->first = report->next;
        if (thread->first == NULL)
            thread->end = &thread->first;
        thread->report_count--;
        pthread_cond_broadcast(&thread->changed);
        pthread_mutex_unlock(&thread->lock);
        deliver(thread->sink, report);
        free_report(report);
        pthread_mutex_lock(&thread->lock);
    }
}

/* The thread. */

void adapter_thread_close(struct adapter_thread *thread)
{
    adapter_guard_call(&thread->guard, "close");
    adapter_host_close(thread->host);
    thread->host = NULL;
}

/* The adapter has called pthread_exit. */
static void on_unwound(void *context)
{
    struct adapter_thread *thread = context;

    adapter_guard_thread_ended(&thread->guard);
}

static void *serve(void *context)
{
    struct adapter_thread *thread = context;
    bool abandoned;
    int unused;

    /* If an adapter cancels its own thread, the thread ends in the adapter's call, not while it holds the lock. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);
    adapter_guard_enter(&thread->guard);
    pthread_cleanup_push(on_unwound, thread);
    pthread_mutex_lock(&thread->lock);
    while (!thread->ending) {
        if (thread->work == NULL) {
            pthread_cond_wait(&thread->changed, &thread->lock);
            continue;
        }
        pthread_mutex_unlock(&thread->lock);
        (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &unused);
        thread->work(thread);
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &unused);
        adapter_guard_call(&thread->guard, NULL);
        pthread_mutex_lock(&thread->lock);
        thread->work = NULL;
        /* One that nobody has taken yet is still there behind a call. */
        thread->has_outcome = thread->has_outcome || thread->is_task;
        if (thread->is_task)
            wake_owner(thread);
        pthread_cond_broadcast(&thread->changed);
    }
    abandoned = thread->abandoned;
    pthread_mutex_unlock(&thread->lock);
    if (abandoned)
        adapter_thread_close(thread);
    pthread_cleanup_pop(0);
    adapter_guard_leave(&thread->guard);
    if (abandoned)
        free_thread(thread);
    return NULL;
}

struct adapter_thread *adapter_thread_new(const struct adapter_host_options *options,
                                          struct osiris_error *error)
{
    struct adapter_thread *thread = calloc(1, sizeof *thread);

    pthread_mutex_init(&thread->lock, NULL);
    condition_init(&thread->changed);
    thread->sink = options->sink;
    thread->own_sink = (struct adapter_sink){.log = on_log,
                                             .event = on_event,
                                             .metric = on_metric,
                                             .cancelled = is_cancelled,
                                             .context = thread};
    thread->end = &thread->first;
    thread->outcome.channel = (struct osiris_channel)ADAPTER_CHANNEL_INIT;
    thread->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int number = thread->fd < 0 ? errno : 0;
    copy_options(thread, options);
    thread->guard.adapter = thread->options.name;
    thread->guard.wake_fd = thread->fd;
    if (number == 0)
        number = pthread_create(&thread->id, NULL, serve, thread);
    if (number != 0) {
        free_thread(thread);
        osiris_error_set_errno(error, number, "cannot open the adapter");
        return NULL;
    }
    return thread;
}

/* An adapter that has ended. Its thread is stopped permanently, wherever it was, and what it was using is not touched any more. */

static void fail_task(struct adapter_thread *thread)
{
    struct adapter_outcome outcome = {.task = thread->outcome.task,
                                      .result = -1,
                                      .channel = ADAPTER_CHANNEL_INIT,
                                      .end.exit.state = OSIRIS_WORKER_LOST};

    if (thread->is_stuck)
        osiris_error_set(&outcome.error, OSIRIS_ERROR_TIMEOUT, "adapter \"%s\" does not return from a call", thread->options.name);
    else
        (void)adapter_guard_explain(&thread->guard, &outcome.error);
    thread->outcome = outcome;
    thread->has_outcome = true;
    wake_owner(thread);
}

/* The lock is held. */
static void check_thread(struct adapter_thread *thread)
{
    if (thread->is_dead || !adapter_guard_has_ended(&thread->guard))
        return;
    thread->is_dead = true;
    if (thread->work != NULL && thread->is_task)
        fail_task(thread);
    thread->work = NULL;
}

/* Waits until something changes or the deadline passes (monotonic; 0: none). The lock is held. False: it has passed. */
static bool wait_for_change(struct adapter_thread *thread, int64_t end_ns)
{
    int64_t now = clock_monotonic_ns(), next = now + CHECKED_EVERY_MS * INT64_C(1000000);

    if (end_ns != 0 && end_ns <= now)
        return false;
    if (end_ns != 0 && end_ns < next)
        next = end_ns;
    (void)condition_wait_until(&thread->changed, &thread->lock, next);
    check_thread(thread);
    return true;
}

/* Starting work. */

static void assign(struct adapter_thread *thread, adapter_work work, bool is_task)
{
    thread->work = work;
    thread->is_task = is_task;
    pthread_cond_broadcast(&thread->changed);
}

/* The lock is held. Time in which this process did not run does not count. */
static void wait_for_call(struct adapter_thread *thread)
{
    struct patience patience = {.left_ms = CALL_MS};
    int64_t slice_ms;

    while (thread->work != NULL && (slice_ms = patience_next(&patience)) > 0) {
        (void)wait_for_change(thread, clock_monotonic_ns() + slice_ms * 1000000);
        deliver_reports(thread);
    }
    if (thread->work != NULL)
        thread->is_stuck = thread->is_dead = true;
}

bool adapter_thread_call(struct adapter_thread *thread, adapter_work work, int asked)
{
    pthread_mutex_lock(&thread->lock);
    check_thread(thread);
    bool rests = thread->work == NULL && !thread->is_dead;
    if (rests) {
        thread->asked = asked;
        assign(thread, work, false);
        wait_for_call(thread);
    }
    deliver_reports(thread);
    rests = rests && !thread->is_dead;
    pthread_mutex_unlock(&thread->lock);
    return rests;
}

void adapter_thread_start_task(struct adapter_thread *thread, adapter_work work)
{
    pthread_mutex_lock(&thread->lock);
    thread->has_outcome = false;
    check_thread(thread);
    if (thread->is_dead)
        fail_task(thread);
    else
        assign(thread, work, true);
    pthread_mutex_unlock(&thread->lock);
}

void adapter_thread_free(struct adapter_thread *thread)
{
    if (thread == NULL)
        return;
    bool rests = adapter_thread_call(thread, adapter_thread_close, 0);
    pthread_mutex_lock(&thread->lock);
    thread->ending = true;
    thread->abandoned = !rests;
    pthread_cond_broadcast(&thread->changed);
    pthread_t id = thread->id;
    pthread_mutex_unlock(&thread->lock);
    if (!rests) {
        (void)pthread_detach(id);
        return;
    }
    (void)pthread_join(id, NULL);
    free_thread(thread);
}

/* Results. */

int adapter_thread_fd(const struct adapter_thread *thread)
{
    return thread->fd;
}

bool adapter_thread_take(struct adapter_thread *thread, struct adapter_outcome *outcome)
{
    uint64_t count;

    (void)!read(thread->fd, &count, sizeof count);
    pthread_mutex_lock(&thread->lock);
    check_thread(thread);
    deliver_reports(thread);
    bool has_outcome = thread->has_outcome;
    if (has_outcome) {
        thread->has_outcome = false;
        *outcome = thread->outcome;
        thread->outcome = (struct adapter_outcome){.channel = ADAPTER_CHANNEL_INIT};
    }
    pthread_mutex_unlock(&thread->lock);
    return has_outcome;
}

void adapter_thread_cancel(struct adapter_thread *thread)
{
    atomic_store(&thread->cancelled, true);
}
