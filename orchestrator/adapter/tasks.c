/* The work of an adapter's thread: tasks and short calls; see thread.h. */
#include "orchestrator/adapter/thread-internal.h"
#include "core/base/clock.h"
#include "core/base/pause.h"

/* Tasks. */

void adapter_thread_close(struct adapter_thread *thread, void *unused)
{
    (void)unused;
    adapter_guard_call(&thread->guard, "close");
    adapter_host_close(thread->host);
    thread->host = NULL;
}

static void prepare(struct adapter_thread *thread, void *unused)
{
    struct adapter_outcome *outcome = &thread->outcome;

    (void)unused;
    adapter_guard_call(&thread->guard, "open");
    thread->host = adapter_host_open(&thread->options, &outcome->error);
    adapter_guard_go_first();
    adapter_guard_call(&thread->guard, "prepare");
    outcome->result =
        thread->host == NULL ? -1 : adapter_host_prepare(thread->host, &outcome->error);
    adapter_guard_go_first();
}

static void execute(struct adapter_thread *thread, void *unused)
{
    struct adapter_outcome *outcome = &thread->outcome;

    (void)unused;
    adapter_guard_call(&thread->guard, "execute");
    outcome->result = adapter_host_execute(thread->host, &outcome->channel, &outcome->error);
    adapter_guard_go_first();
}

static void look_at_worker(struct adapter_thread *thread, int timeout_ms, struct osiris_worker_exit *result)
{
    adapter_guard_call(&thread->guard, "worker_exit");
    adapter_host_worker_exit(thread->host, timeout_ms, result);
}

static void terminate_worker(struct adapter_thread *thread, int how)
{
    adapter_guard_call(&thread->guard, "terminate");
    adapter_host_terminate(thread->host, how);
}

static int collect_artifacts(struct adapter_thread *thread, struct osiris_error *error)
{
    adapter_guard_call(&thread->guard, "collect");
    return adapter_host_collect(thread->host, error);
}

static void wait_for_worker(struct adapter_thread *thread, int exit_ms, struct adapter_worker_end *end)
{
    int64_t started_ms = clock_monotonic_ms();
    struct pause_watch watch;

    end->killed_after_ms = 0;
    do {
        pause_expect(&watch, exit_ms);
        look_at_worker(thread, exit_ms, &end->exit);
        if (end->exit.state != OSIRIS_WORKER_RUNNING)
            return;
    } while (pause_take(&watch) > 0);
    end->killed_after_ms = clock_monotonic_ms() - started_ms;
    terminate_worker(thread, OSIRIS_TERMINATE_KILL);
    look_at_worker(thread, exit_ms, &end->exit);
}

static void leave(struct adapter_thread *thread, void *unused)
{
    struct adapter_outcome *outcome = &thread->outcome;

    outcome->result = 0;
    outcome->end = (struct adapter_worker_end){.exit.state = OSIRIS_WORKER_LOST};
    if (thread->host == NULL)
        return;
    wait_for_worker(thread, thread->exit_ms, &outcome->end);
    outcome->result = collect_artifacts(thread, &outcome->error);
    adapter_thread_close(thread, unused);
}

void adapter_thread_begin(struct adapter_thread *thread, enum adapter_task task, int exit_ms)
{
    static const adapter_work works[] = {
        [ADAPTER_PREPARE] = prepare, [ADAPTER_EXECUTE] = execute, [ADAPTER_LEAVE] = leave};

    thread->outcome.task = task;
    thread->exit_ms = exit_ms;
    adapter_thread_give_task(thread, works[task]);
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

    adapter_guard_call(&thread->guard, "reconnect");
    asked->result = adapter_host_reconnect(thread->host, asked->channel, asked->error);
}

int adapter_thread_reconnect(struct adapter_thread *thread, struct osiris_channel *channel,
                             struct osiris_error *error)
{
    struct reconnection asked = {channel, error, -1};

    (void)adapter_thread_call(thread, reconnect, &asked);
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
        look_at_worker(thread, asked->timeout_ms, asked->result);
}

void adapter_thread_worker_exit(struct adapter_thread *thread, int timeout_ms,
                                struct osiris_worker_exit *result)
{
    struct look asked = {timeout_ms, result};

    *result = (struct osiris_worker_exit){.struct_size = sizeof *result,
                                          .state = OSIRIS_WORKER_LOST};
    (void)adapter_thread_call(thread, look, &asked);
}

static void terminate(struct adapter_thread *thread, void *argument)
{
    const int *how = argument;

    if (thread->host != NULL)
        terminate_worker(thread, *how);
}

void adapter_thread_terminate(struct adapter_thread *thread, int how)
{
    if (!adapter_thread_call(thread, terminate, &how))
        adapter_thread_cancel(thread);
}

struct ending {
    int exit_ms;
    struct adapter_worker_end *end;
};

static void end_worker(struct adapter_thread *thread, void *argument)
{
    const struct ending *asked = argument;

    wait_for_worker(thread, asked->exit_ms, asked->end);
}

void adapter_thread_end_worker(struct adapter_thread *thread, int exit_ms,
                               struct adapter_worker_end *end)
{
    struct ending asked = {exit_ms, end};

    *end = (struct adapter_worker_end){.exit.state = OSIRIS_WORKER_LOST};
    (void)adapter_thread_call(thread, end_worker, &asked);
}

struct collection {
    struct osiris_error *error;
    int result;
};

static void collect(struct adapter_thread *thread, void *argument)
{
    struct collection *asked = argument;

    asked->result =
        thread->host == NULL ? 0 : collect_artifacts(thread, asked->error);
}

int adapter_thread_collect(struct adapter_thread *thread, struct osiris_error *error)
{
    struct collection asked = {error, 0};

    (void)adapter_thread_call(thread, collect, &asked);
    return asked.result;
}
