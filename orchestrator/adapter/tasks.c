/* The work of an adapter's thread: tasks and short calls; see thread.h. */
#include "orchestrator/adapter/thread-work.h"
#include "core/base/clock.h"
#include "core/base/pause.h"

/* Tasks. */

static void prepare(struct adapter_thread *thread)
{
    struct adapter_outcome *outcome = &thread->outcome;

    adapter_guard_call(&thread->guard, "open");
    thread->host = adapter_host_open(&thread->options, &outcome->error);
    adapter_guard_call(&thread->guard, "prepare");
    outcome->result =
        thread->host == NULL ? -1 : adapter_host_prepare(thread->host, &outcome->error);
}

static void execute(struct adapter_thread *thread)
{
    struct adapter_outcome *outcome = &thread->outcome;

    adapter_guard_call(&thread->guard, "execute");
    outcome->result = adapter_host_execute(thread->host, &outcome->channel, &outcome->error);
}

static void get_worker_exit(struct adapter_thread *thread, int timeout_ms, struct osiris_worker_exit *result)
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

static void reconnect(struct adapter_thread *thread)
{
    struct adapter_outcome *outcome = &thread->outcome;

    outcome->result = -1;
    outcome->end = (struct adapter_worker_end){.exit.state = OSIRIS_WORKER_LOST};
    if (thread->host == NULL)
        return;
    get_worker_exit(thread, 0, &outcome->end.exit);
    if (outcome->end.exit.state != OSIRIS_WORKER_RUNNING)
        return;
    adapter_guard_call(&thread->guard, "reconnect");
    outcome->result = adapter_host_reconnect(thread->host, &outcome->channel, &outcome->error);
}

/* Time during which this process did not run does not count. */
static bool ends_within(struct adapter_thread *thread, int timeout_ms, struct osiris_worker_exit *exit)
{
    struct pause_watch watch;

    do {
        pause_expect(&watch, clock_monotonic_ms(), timeout_ms);
        get_worker_exit(thread, timeout_ms, exit);
        if (exit->state != OSIRIS_WORKER_RUNNING)
            return true;
    } while (pause_take(&watch, clock_monotonic_ms()) > 0);
    return false;
}

static void await(struct adapter_thread *thread)
{
    struct adapter_worker_end *end = &thread->outcome.end;
    int64_t started_ms = clock_monotonic_ms();

    thread->outcome.result = 0;
    *end = (struct adapter_worker_end){.exit.state = OSIRIS_WORKER_LOST};
    if (thread->host == NULL)
        return;
    if (thread->patience.ask_ms > 0) {
        if (ends_within(thread, thread->patience.ask_ms, &end->exit))
            return;
        terminate_worker(thread, OSIRIS_TERMINATE_ASK);
    }
    if (ends_within(thread, thread->patience.kill_ms, &end->exit))
        return;
    end->killed_after_ms = clock_monotonic_ms() - started_ms;
    terminate_worker(thread, OSIRIS_TERMINATE_KILL);
    get_worker_exit(thread, thread->patience.exit_ms, &end->exit);
}

static void close_adapter(struct adapter_thread *thread)
{
    thread->outcome.result = 0;
    if (thread->host != NULL)
        adapter_thread_close(thread);
}

static void leave(struct adapter_thread *thread)
{
    int collected = thread->host == NULL ? 0 : collect_artifacts(thread, &thread->outcome.error);

    close_adapter(thread);
    thread->outcome.result = collected;
}

void adapter_thread_begin(struct adapter_thread *thread, enum adapter_task task, const struct adapter_patience *patience)
{
    static const adapter_work works[] = {[ADAPTER_PREPARE] = prepare,
                                         [ADAPTER_EXECUTE] = execute,
                                         [ADAPTER_RECONNECT] = reconnect,
                                         [ADAPTER_AWAIT] = await,
                                         [ADAPTER_LEAVE] = leave,
                                         [ADAPTER_CLOSE] = close_adapter};

    thread->outcome.task = task;
    atomic_store(&thread->task_cancelled, false);
    if (patience != NULL)
        thread->patience = *patience;
    adapter_thread_start_task(thread, works[task]);
}

/* Calls. */

bool adapter_thread_can_reconnect(const struct adapter_thread *thread)
{
    return adapter_host_can_reconnect(thread->host);
}

static void check_exit(struct adapter_thread *thread)
{
    thread->worker_exit = (struct osiris_worker_exit){.struct_size = sizeof thread->worker_exit, .state = OSIRIS_WORKER_LOST};
    if (thread->host != NULL)
        get_worker_exit(thread, 0, &thread->worker_exit);
}

void adapter_thread_worker_exit(struct adapter_thread *thread, struct osiris_worker_exit *result)
{
    *result = (struct osiris_worker_exit){.struct_size = sizeof *result, .state = OSIRIS_WORKER_LOST};
    if (adapter_thread_call(thread, check_exit, 0))
        *result = thread->worker_exit;
}

static void terminate(struct adapter_thread *thread)
{
    if (thread->host != NULL)
        terminate_worker(thread, thread->asked);
}

void adapter_thread_terminate(struct adapter_thread *thread, int how)
{
    if (!adapter_thread_call(thread, terminate, how))
        atomic_store(&thread->task_cancelled, true);
}
