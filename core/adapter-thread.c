/* An execution adapter on a thread of its own; see adapter-thread.h. */
#include "core/adapter-thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/cleanup.h"
#include "core/clock.h"
#include "core/pause.h"

#define REPORTS_WAITING 256 /* beyond, the adapter waits until they are taken */

/* What the adapter has told, in its order. */
struct report {
    struct report *next;
    enum { REPORT_LOG, REPORT_EVENT, REPORT_METRIC } kind;
    int level;
    char *name, *text; /* source and message; an event's name; a metric's name and unit */
    json_object *fields;
    double value;
};

/* What the thread is to do with what it owns. */
typedef void (*adapter_work)(struct adapter_thread *thread, void *argument);

struct adapter_thread {
    /* Of the owner, and copies for the adapter. */
    const struct adapter_sink *sink;
    struct adapter_host_options options;
    struct osiris_adapter_context context;
    int fd;
    pthread_t id;
    atomic_bool cancelled;
    struct adapter_sink own_sink;
    /* Of who is at work: the thread while `work` is set, else the owner. */
    struct adapter_host *host;
    struct adapter_outcome outcome;
    int exit_ms; /* of ADAPTER_LEAVE */
    /* Guarded by `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    adapter_work work; /* NULL: it rests */
    void *argument;
    bool is_task, has_outcome;
    bool ending, left_behind;
    struct report *first, **end;
    size_t report_count;
};

/* Copies. */

static char *copy_text(const char *text, bool *failed)
{
    char *copy = text == NULL ? NULL : strdup(text);

    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

/* One block of pointers; the texts are their own. */
static const char *const *copy_list(const char *const *list, bool *failed)
{
    size_t count = 0;

    while (list[count] != NULL)
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    *failed = *failed || copy == NULL;
    for (size_t i = 0; copy != NULL && i < count; i++)
        copy[i] = copy_text(list[i], failed);
    return (const char *const *)copy;
}

static void free_list(const char *const *list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free((char *)list[i]);
    free((void *)list);
}

static int copy_options(struct adapter_thread *thread, const struct adapter_host_options *given)
{
    const struct osiris_adapter_context *context = given->context;
    bool failed = false;

    thread->context = (struct osiris_adapter_context){
        .struct_size = sizeof thread->context,
        .manifest = copy_text(context->manifest, &failed),
        .worker_path = copy_text(context->worker_path, &failed),
        .driver_paths = copy_list(context->driver_paths, &failed),
        .environment = copy_list(context->environment, &failed),
        .run_dir = copy_text(context->run_dir, &failed),
        .artifacts_dir = copy_text(context->artifacts_dir, &failed),
        .standard_output = context->standard_output,
    };
    thread->options = (struct adapter_host_options){
        .name = copy_text(given->name, &failed),
        .adapter_path = copy_text(given->adapter_path, &failed),
        .adapter_dir = copy_text(given->adapter_dir, &failed),
        .run_id = copy_text(given->run_id, &failed),
        .redactor = given->redactor,
        .sink = &thread->own_sink,
        .context = &thread->context,
    };
    if (given->options != NULL &&
        json_object_deep_copy(given->options, &thread->options.options, NULL) < 0)
        failed = true;
    return failed ? -1 : 0;
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
    cleanup_close_value(&thread->outcome.channel.socket);
    cleanup_close_value(&thread->outcome.channel.diagnostics);
    free((char *)options->name);
    free((char *)options->adapter_path);
    free((char *)options->adapter_dir);
    free((char *)options->run_id);
    json_object_put(options->options);
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

/* Reports: made on the adapter's thread, taken on the owner's. */

static void wake_owner(const struct adapter_thread *thread)
{
    static const uint64_t one = 1;

    (void)!write(thread->fd, &one, sizeof one);
}

/* Takes `fields`. Without memory the report is lost. */
static void add_report(struct adapter_thread *thread, const struct report *given, const char *name,
                       const char *text)
{
    bool failed = false;
    struct report *report = malloc(sizeof *report);

    if (report == NULL) {
        json_object_put(given->fields);
        return;
    }
    *report = *given;
    report->name = copy_text(name, &failed);
    report->text = copy_text(text, &failed);
    pthread_mutex_lock(&thread->lock);
    while (!failed && thread->report_count >= REPORTS_WAITING && !thread->left_behind)
        pthread_cond_wait(&thread->changed, &thread->lock);
    if (failed || thread->left_behind) {
        free_report(report);
    } else {
        *thread->end = report;
        thread->end = &report->next;
        thread->report_count++;
        wake_owner(thread);
        pthread_cond_broadcast(&thread->changed);
    }
    pthread_mutex_unlock(&thread->lock);
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

    return atomic_load(&thread->cancelled);
}

static void tell(const struct adapter_sink *sink, struct report *report)
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
static void tell_all(struct adapter_thread *thread)
{
    while (thread->first != NULL) {
        struct report *report = thread->first;
        thread->first = report->next;
        if (thread->first == NULL)
            thread->end = &thread->first;
        thread->report_count--;
        pthread_cond_broadcast(&thread->changed);
        pthread_mutex_unlock(&thread->lock);
        tell(thread->sink, report);
        free_report(report);
        pthread_mutex_lock(&thread->lock);
    }
}

/* The thread. */

static void close_adapter(struct adapter_thread *thread, void *unused)
{
    (void)unused;
    adapter_host_close(thread->host);
    thread->host = NULL;
}

static void *serve(void *context)
{
    struct adapter_thread *thread = context;

    pthread_mutex_lock(&thread->lock);
    while (!thread->ending) {
        if (thread->work == NULL) {
            pthread_cond_wait(&thread->changed, &thread->lock);
            continue;
        }
        pthread_mutex_unlock(&thread->lock);
        thread->work(thread, thread->argument);
        pthread_mutex_lock(&thread->lock);
        thread->work = NULL;
        thread->has_outcome = thread->is_task;
        if (thread->is_task)
            wake_owner(thread);
        pthread_cond_broadcast(&thread->changed);
    }
    bool left_behind = thread->left_behind;
    pthread_mutex_unlock(&thread->lock);
    if (left_behind) {
        close_adapter(thread, NULL);
        free_thread(thread);
    }
    return NULL;
}

static int init_lock(struct adapter_thread *thread)
{
    pthread_condattr_t attributes;

    if (pthread_mutex_init(&thread->lock, NULL) != 0)
        return -1;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int result = pthread_cond_init(&thread->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (result != 0)
        pthread_mutex_destroy(&thread->lock);
    return result == 0 ? 0 : -1;
}

struct adapter_thread *adapter_thread_new(const struct adapter_host_options *options,
                                          struct osiris_error *error)
{
    struct adapter_thread *thread = calloc(1, sizeof *thread);

    if (thread == NULL || init_lock(thread) < 0) {
        free(thread);
        osiris_error_set_errno(error, ENOMEM, "cannot open the adapter");
        return NULL;
    }
    thread->sink = options->sink;
    thread->own_sink = (struct adapter_sink){.log = on_log,
                                             .event = on_event,
                                             .metric = on_metric,
                                             .cancelled = is_cancelled,
                                             .context = thread};
    thread->end = &thread->first;
    thread->outcome.channel.socket = thread->outcome.channel.diagnostics = -1;
    thread->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int number = thread->fd < 0 ? errno : copy_options(thread, options) < 0 ? ENOMEM : 0;
    if (number == 0)
        number = pthread_create(&thread->id, NULL, serve, thread);
    if (number != 0) {
        free_thread(thread);
        osiris_error_set_errno(error, number, "cannot open the adapter");
        return NULL;
    }
    return thread;
}

/* Giving it work. */

static void give(struct adapter_thread *thread, adapter_work work, void *argument, bool is_task)
{
    thread->work = work;
    thread->argument = argument;
    thread->is_task = is_task;
    pthread_cond_broadcast(&thread->changed);
}

/* False: a task is under way. Else the work is done, and what was reported meanwhile is told. */
static bool call(struct adapter_thread *thread, adapter_work work, void *argument)
{
    pthread_mutex_lock(&thread->lock);
    bool rests = thread->work == NULL;
    if (rests)
        give(thread, work, argument, false);
    while (rests && thread->work != NULL) {
        pthread_cond_wait(&thread->changed, &thread->lock);
        tell_all(thread);
    }
    tell_all(thread);
    pthread_mutex_unlock(&thread->lock);
    return rests;
}

void adapter_thread_free(struct adapter_thread *thread)
{
    if (thread == NULL)
        return;
    bool rests = call(thread, close_adapter, NULL);
    pthread_mutex_lock(&thread->lock);
    thread->ending = true;
    thread->left_behind = !rests;
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

/* Tasks. */

static void prepare(struct adapter_thread *thread, void *unused)
{
    struct adapter_outcome *outcome = &thread->outcome;

    (void)unused;
    thread->host = adapter_host_open(&thread->options, &outcome->error);
    outcome->result =
        thread->host == NULL ? -1 : adapter_host_prepare(thread->host, &outcome->error);
}

static void execute(struct adapter_thread *thread, void *unused)
{
    struct adapter_outcome *outcome = &thread->outcome;

    (void)unused;
    outcome->result = adapter_host_execute(thread->host, &outcome->channel, &outcome->error);
}

static void wait_for_worker(struct adapter_host *host, int exit_ms, struct adapter_worker_end *end)
{
    int64_t started_ms = clock_monotonic_ms();
    struct pause_watch watch;

    end->killed_after_ms = 0;
    do {
        pause_expect(&watch, exit_ms);
        adapter_host_worker_exit(host, exit_ms, &end->exit);
        if (end->exit.state != OSIRIS_WORKER_RUNNING)
            return;
    } while (pause_take(&watch) > 0);
    end->killed_after_ms = clock_monotonic_ms() - started_ms;
    adapter_host_terminate(host, OSIRIS_TERMINATE_KILL);
    adapter_host_worker_exit(host, exit_ms, &end->exit);
}

static void leave(struct adapter_thread *thread, void *unused)
{
    struct adapter_outcome *outcome = &thread->outcome;

    outcome->result = 0;
    outcome->end = (struct adapter_worker_end){.exit.state = OSIRIS_WORKER_LOST};
    if (thread->host == NULL)
        return;
    wait_for_worker(thread->host, thread->exit_ms, &outcome->end);
    outcome->result = adapter_host_collect(thread->host, &outcome->error);
    close_adapter(thread, unused);
}

void adapter_thread_begin(struct adapter_thread *thread, enum adapter_task task, int exit_ms)
{
    static const adapter_work works[] = {
        [ADAPTER_PREPARE] = prepare, [ADAPTER_EXECUTE] = execute, [ADAPTER_LEAVE] = leave};

    pthread_mutex_lock(&thread->lock);
    thread->outcome.task = task;
    thread->exit_ms = exit_ms;
    thread->has_outcome = false;
    give(thread, works[task], NULL, true);
    pthread_mutex_unlock(&thread->lock);
}

bool adapter_thread_is_busy(struct adapter_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    bool busy = thread->work != NULL;
    pthread_mutex_unlock(&thread->lock);
    return busy;
}

int adapter_thread_fd(const struct adapter_thread *thread)
{
    return thread->fd;
}

bool adapter_thread_take(struct adapter_thread *thread, struct adapter_outcome *outcome)
{
    uint64_t count;

    (void)!read(thread->fd, &count, sizeof count);
    pthread_mutex_lock(&thread->lock);
    tell_all(thread);
    bool has_outcome = thread->has_outcome;
    if (has_outcome) {
        thread->has_outcome = false;
        *outcome = thread->outcome;
        thread->outcome = (struct adapter_outcome){.channel = {.socket = -1, .diagnostics = -1}};
    }
    pthread_mutex_unlock(&thread->lock);
    return has_outcome;
}

bool adapter_thread_wait(struct adapter_thread *thread, int timeout_ms)
{
    struct patience patience = {.left_ms = timeout_ms};
    int64_t slice_ms;

    pthread_mutex_lock(&thread->lock);
    while (thread->work != NULL && (slice_ms = patience_next(&patience)) > 0) {
        int64_t end_ns = clock_monotonic_ns() + slice_ms * 1000000;
        const struct timespec end = {.tv_sec = end_ns / 1000000000, .tv_nsec = end_ns % 1000000000};
        (void)pthread_cond_timedwait(&thread->changed, &thread->lock, &end);
        tell_all(thread);
    }
    bool rests = thread->work == NULL;
    pthread_mutex_unlock(&thread->lock);
    return rests;
}

void adapter_thread_cancel(struct adapter_thread *thread)
{
    atomic_store(&thread->cancelled, true);
}

/* Calls. */

bool adapter_thread_can_reconnect(const struct adapter_thread *thread)
{
    return adapter_host_can_reconnect(thread->host);
}

struct reconnection {
    struct osiris_channel *channel;
    struct osiris_error *error;
    int result;
};

static void reconnect(struct adapter_thread *thread, void *argument)
{
    struct reconnection *asked = argument;

    asked->result = adapter_host_reconnect(thread->host, asked->channel, asked->error);
}

int adapter_thread_reconnect(struct adapter_thread *thread, struct osiris_channel *channel,
                             struct osiris_error *error)
{
    struct reconnection asked = {channel, error, -1};

    (void)call(thread, reconnect, &asked);
    return asked.result;
}

struct look {
    int timeout_ms;
    struct osiris_worker_exit *result;
};

static void look(struct adapter_thread *thread, void *argument)
{
    const struct look *asked = argument;

    if (thread->host != NULL)
        adapter_host_worker_exit(thread->host, asked->timeout_ms, asked->result);
}

void adapter_thread_worker_exit(struct adapter_thread *thread, int timeout_ms,
                                struct osiris_worker_exit *result)
{
    struct look asked = {timeout_ms, result};

    *result = (struct osiris_worker_exit){.struct_size = sizeof *result,
                                          .state = OSIRIS_WORKER_LOST};
    (void)call(thread, look, &asked);
}

static void terminate(struct adapter_thread *thread, void *argument)
{
    const int *how = argument;

    if (thread->host != NULL)
        adapter_host_terminate(thread->host, *how);
}

void adapter_thread_terminate(struct adapter_thread *thread, int how)
{
    if (!call(thread, terminate, &how))
        adapter_thread_cancel(thread);
}

struct ending {
    int exit_ms;
    struct adapter_worker_end *end;
};

static void end_worker(struct adapter_thread *thread, void *argument)
{
    const struct ending *asked = argument;

    wait_for_worker(thread->host, asked->exit_ms, asked->end);
}

void adapter_thread_end_worker(struct adapter_thread *thread, int exit_ms,
                               struct adapter_worker_end *end)
{
    struct ending asked = {exit_ms, end};

    *end = (struct adapter_worker_end){.exit.state = OSIRIS_WORKER_LOST};
    (void)call(thread, end_worker, &asked);
}

struct collection {
    struct osiris_error *error;
    int result;
};

static void collect(struct adapter_thread *thread, void *argument)
{
    struct collection *asked = argument;

    asked->result =
        thread->host == NULL ? 0 : adapter_host_collect(thread->host, asked->error);
}

int adapter_thread_collect(struct adapter_thread *thread, struct osiris_error *error)
{
    struct collection asked = {error, 0};

    (void)call(thread, collect, &asked);
    return asked.result;
}
