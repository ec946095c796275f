/*
 * rude: the local adapter with trouble `at` a verb, of a kind that an adapter cannot report: it ends or replaces the process, crashes, ends
 * its thread, or hands over a channel that is none.
 */
#include <osiris/plugin.h>

/* Also built as lame, which lacks a verb (1), its version (2), its spec (3). */
#ifndef LACKS
#define LACKS 0
#endif

/* The local adapter's verbs, not its descriptor. */
#undef OSIRIS_PLUGIN
#define OSIRIS_PLUGIN(module) static const struct osiris_plugin unused_##module __attribute__((unused))
#include "plugins/local/local.c"
#undef OSIRIS_PLUGIN

#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const char *option(const struct osiris_host *host, const char *name)
{
    return host->get_string(host, OSIRIS_CONFIG, name, "");
}

/* Larger than any stack. */
static int overflow(volatile const char *before, unsigned left)
{
    volatile char room[1 << 16];

    room[0] = before[0];
    return left == 0 ? 0 : overflow(room, left - 1) + room[0];
}

static void exit_at_exit(void)
{
    exit(0);
}

static void end_at_exit(void)
{
    _exit(0);
}

/* What the destructor does, once a verb has asked for it. */
static enum { DO_NOTHING, DO_CRASH, DO_EXIT } at_the_end;

__attribute__((destructor)) static void destroy(void)
{
    if (at_the_end == DO_CRASH)
        (void)raise(SIGSEGV);
    if (at_the_end == DO_EXIT)
        _exit(0);
}

static void reset_crash_signals(void)
{
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
}

static void block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
}

static int *volatile nowhere;

/* No raise: a signal that is blocked would wait. */
static void crash(void)
{
    *(volatile int *)nowhere = 1;
}

/* Without the C library, which could meet it, or in a way that the library cannot. */
static void end_without_library(const char *how)
{
    if (strcmp(how, "syscall") == 0)
        (void)syscall(SYS_exit_group, 0);
    if (strcmp(how, "killed") == 0)
        (void)kill(getpid(), SIGKILL);
    if (strcmp(how, "exec") == 0)
        (void)execl("/bin/true", "true", (char *)NULL);
    if (strcmp(how, "exec_sleep") == 0)
        (void)execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    if (strcmp(how, "close_all") == 0)
        (void)syscall(SYS_close_range, 3u, ~0u, 0u);
    if (strcmp(how, "reset_crash") == 0) {
        reset_crash_signals();
        crash();
    }
    if (strcmp(how, "blocked_crash") == 0) {
        block_signals();
        crash();
    }
}

static void end(const char *how)
{
    end_without_library(how);
    if (strcmp(how, "exit") == 0)
        exit(0);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(0);
    if (strcmp(how, "_exit") == 0)
        _exit(0);
    if (strcmp(how, "_Exit") == 0)
        _Exit(0);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "crash") == 0)
        (void)raise(SIGSEGV);
    if (strcmp(how, "overflow") == 0)
        (void)overflow("x", 1u << 30);
    if (strcmp(how, "thread") == 0)
        pthread_exit(NULL);
    if (strcmp(how, "cancel") == 0 && pthread_cancel(pthread_self()) == 0)
        pthread_testcancel();
    if (strcmp(how, "elsewhere") == 0 && chdir("/") == 0)
        (void)umask(0777);
    if (strcmp(how, "atexit_exit") == 0)
        (void)atexit(exit_at_exit);
    if (strcmp(how, "atexit__exit") == 0)
        (void)atexit(end_at_exit);
    if (strcmp(how, "destructor_crash") == 0)
        at_the_end = DO_CRASH;
    if (strcmp(how, "destructor__exit") == 0)
        at_the_end = DO_EXIT;
    if (strcmp(how, "default_signals") == 0)
        reset_crash_signals();
    if (strcmp(how, "blocked_signals") == 0)
        block_signals();
}

static void *end_on_own_thread(void *how)
{
    end(how);
    return NULL;
}

/* 0, or -1 if the host was told of something. */
static int trouble(const struct osiris_host *host, const char *verb)
{
    const char *how = option(host, "how");
    pthread_t thread;
    int status;

    if (strcmp(option(host, "crash_at"), verb) == 0)
        crash();
    if (strcmp(option(host, "at"), verb) != 0)
        return 0;
    if (strncmp(how, "own_", 4) == 0) {
        if (pthread_create(&thread, NULL, end_on_own_thread, (void *)(how + 4)) == 0)
            (void)pthread_join(thread, NULL);
    } else if (strncmp(how, "child_", 6) == 0) {
        /* What it has forked may do all of that. */
        pid_t child = fork();
        if (child == 0)
            end(how + 6);
        (void)waitpid(child, &status, 0);
    } else if (strcmp(how, "cancel_in_report") == 0) {
        (void)pthread_cancel(pthread_self());
        host->log(host, OSIRIS_INFO, "cancelled");
        pthread_testcancel();
    } else if (strcmp(how, "say_nothing") == 0) {
        host->log(host, OSIRIS_INFO, NULL);
    } else if (strcmp(how, "no_event") == 0) {
        host->event(host, NULL, NULL);
    } else if (strcmp(how, "no_metric") == 0) {
        host->metric(host, NULL, 1, NULL);
    } else if (strcmp(how, "no_report") == 0) {
        host->error(host, NULL);
    } else {
        end(how);
        return 0;
    }
    return strncmp(how, "own_", 4) == 0 || strncmp(how, "child_", 6) == 0 ? 0 : -1;
}

static int open_null(int flags)
{
    return open("/dev/null", flags | O_CLOEXEC);
}

/* A channel of two descriptors that is none. */
static void spoil_pair(const char *give, struct osiris_channel *channel)
{
    static const struct {
        const char *give;
        int has_socket, input, output; /* 0: none; 1000: closed; -1: only read; else flags of open */
    } pairs[] = {
        {"only_input", 0, O_RDWR, 0},         {"only_output", 0, 0, O_RDWR},
        {"socket_and_input", 1, O_RDWR, 0},   {"both", 1, O_RDWR, O_RDWR},
        {"closed_input", 0, 1000, O_RDWR},    {"closed_output", 0, O_RDWR, 1000},
        {"written_input", 0, O_WRONLY, O_RDWR}, {"read_output", 0, O_RDWR, -1},
        {"twice", 0, O_RDWR, O_RDWR},         {"input_and_diagnostics", 0, O_RDWR, O_RDWR},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(give, pairs[i].give) != 0)
            continue;
        channel->socket = pairs[i].has_socket ? channel->socket : -1;
        channel->input = pairs[i].input == 0 ? -1 : pairs[i].input == 1000 ? 1000 : open_null(pairs[i].input);
        channel->output = pairs[i].output == 0      ? -1
                          : pairs[i].output == 1000 ? 1000
                                                    : open_null(pairs[i].output == -1 ? O_RDONLY : pairs[i].output);
    }
    if (strcmp(give, "twice") == 0)
        channel->output = channel->input;
    if (strcmp(give, "input_and_diagnostics") == 0)
        channel->diagnostics = channel->input;
}

static void spoil_paths(const char *give, struct osiris_channel *channel)
{
    static const char *const relative[] = {"csv.so", NULL}, *const none[] = {NULL};

    if (strcmp(give, "relative") == 0)
        channel->temp_dir = "here";
    if (strcmp(give, "relative_driver") == 0)
        channel->driver_paths = relative;
    if (strcmp(give, "fewer_drivers") == 0)
        channel->driver_paths = none;
}

static void spoil(const char *give, struct osiris_channel *channel)
{
    spoil_pair(give, channel);
    spoil_paths(give, channel);
    if (strcmp(give, "no_socket") == 0)
        channel->socket = -1;
    if (strcmp(give, "closed") == 0)
        channel->socket = 1000;
    if (strcmp(give, "file") == 0)
        channel->socket = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (strcmp(give, "datagram") == 0)
        channel->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (strcmp(give, "unconnected") == 0)
        channel->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strcmp(give, "closed_diagnostics") == 0)
        channel->diagnostics = 1000;
    if (strcmp(give, "one_for_both") == 0)
        channel->diagnostics = channel->socket;
    if (strcmp(give, "written_diagnostics") == 0)
        channel->diagnostics = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (strcmp(give, "size") == 0)
        channel->struct_size = 4;
}

static const struct osiris_host *host_of(void *state)
{
    return ((struct local *)state)->host;
}

/* Where artifacts go. */
static char artifacts[4096];

static int rude_open(const struct osiris_host *host, const struct osiris_adapter_context *context, void **state)
{
    snprintf(artifacts, sizeof artifacts, "%s", context->artifacts_dir);
    return trouble(host, "open") < 0 ? -1 : local_open(host, context, state);
}

static int rude_prepare(void *state)
{
    return trouble(host_of(state), "prepare") < 0 ? -1 : local_prepare(state);
}

static int rude_execute(void *state, struct osiris_channel *channel)
{
    int result = local_execute(state, channel);

    if (trouble(host_of(state), "execute") < 0)
        return -1;
    spoil(option(host_of(state), "give"), channel);
    return result;
}

static int rude_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    return trouble(host_of(state), "worker_exit") < 0 ? -1 : local_worker_exit(state, timeout_ms, result);
}

static int rude_terminate(void *state, int32_t how)
{
    return trouble(host_of(state), "terminate") < 0 ? -1 : local_terminate(state, how);
}

static int rude_collect(void *state)
{
    int folder = strcmp(option(host_of(state), "how"), "litter") == 0 ? open(artifacts, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (folder >= 0 && (mkfifoat(folder, "pipe", 0644) < 0 || mkdirat(folder, "red\033[31m", 0755) < 0 || close(folder) < 0))
        return -1;
    return trouble(host_of(state), "collect") < 0 ? -1 : local_collect(state);
}

static void rude_close(void *state)
{
    (void)trouble(host_of(state), "close");
    local_close(state);
}

static const struct osiris_adapter rude_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = LACKS > 0 ? "lame" : "rude",
    .version = LACKS == 2 ? NULL : "1.0.0",
    .spec = LACKS == 3 ? NULL : "{\"title\": \"Rude\", \"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
            "\"at\": {\"type\": \"string\"}, \"how\": {\"type\": \"string\"}, \"give\": {\"type\": \"string\"}, "
            "\"crash_at\": {\"type\": \"string\"}}}}",
    .open = rude_open,
    .prepare = rude_prepare,
    .execute = rude_execute,
    .worker_exit = rude_worker_exit,
    .terminate = rude_terminate,
    .collect = LACKS == 1 ? NULL : rude_collect,
    .close = rude_close,
};

static const struct osiris_adapter *const rude_adapters[] = {&rude_adapter, NULL};

extern OSIRIS_EXPORT const struct osiris_plugin osiris_plugin;
const struct osiris_plugin osiris_plugin = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "rude",
    .version = "1.0.0",
    .adapters = rude_adapters,
};
