/*
 * The execution adapter for places that a command reaches (docs/exec.md): `ssh build-box`, `docker exec -i etl`, `srun -n1`. It needs nothing
 * there but a shell: it brings a bundle with the worker, starts it detached, and each link to it is a relay that one run of the command
 * carries (docs/protocol.md, "--start and --relay"). docs/adapters.md explains how to write an adapter along this one.
 *
 *   open         reads the options
 *   prepare      makes the bundle
 *   execute      runs the command with a script that unpacks the bundle if it is not there, and starts worker and relay;
 *                the pipes of the command are the channel
 *   reconnect    runs it again, with a relay to the same worker
 *   worker_exit  the relay's last words, or what another run of the command finds out
 *   terminate, close   run it to end the worker
 */
#include <errno.h>
#include <fcntl.h>
#include <osiris/plugin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "fail.h"
#include "greeting.h"
#include "options.h"
#include "script.h"
#include "watch.h"

#define ATTEMPTS 5         /* to start, while the command reaches the place but breaks */
#define NO_WORKER 97       /* an exit code of osiris-worker --kill (docs/protocol.md) */
#define LAST_WORDS_MS 2500 /* for a command that has closed its output to end; a relay whose worker has ended takes up to 2 s */
#define END_MS 3000        /* for a relay to end when it is not needed any more */
#define KILL_MS 15000      /* for a command that ends the worker */

struct exec {
    const struct osiris_host *host;
    const struct osiris_adapter_context *context;
    struct options options;
    struct osiris_bundle bundle;
    char worker[48];           /* the name of the worker's folder */
    char at[GREETING_TEXT];    /* the folder of bundles and workers in the place; "": the place has not said it */
    char *folder;              /* the worker's, there */
    char **driver_paths, *artifacts_dir, *temp_dir, *working_dir;
    struct child relay, killer;
    struct watch watch;        /* of the relay */
    bool is_watched;
    int diagnostics;           /* our end */
    long long log_offset;
    struct osiris_worker_exit end; /* if `ended` */
    bool ended;
    bool started; /* a worker may be there */
};

static int out_of_memory(const struct exec *exec)
{
    return fail(exec->host, OSIRIS_ERROR_INTERNAL, NULL, "out of memory");
}

/* Opening and preparing. */

static int exec_open(const struct osiris_host *host, const struct osiris_adapter_context *context, void **state)
{
    struct exec *exec = calloc(1, sizeof *exec);

    if (exec == NULL)
        return fail(host, OSIRIS_ERROR_INTERNAL, NULL, "out of memory");
    exec->host = host;
    exec->context = context;
    exec->relay = exec->killer = (struct child)CHILD_INIT;
    exec->diagnostics = -1;
    exec->watch.from = exec->watch.stop = -1;
    if (!OSIRIS_HAS(context, bundle) || options_read(&exec->options, host) < 0) {
        if (!OSIRIS_HAS(context, bundle))
            (void)fail(host, OSIRIS_ERROR_CONFIG, "use osiris 1.3 or newer", "this osiris is too old for the adapter");
        options_clear(&exec->options);
        free(exec);
        return -1;
    }
    *state = exec;
    return 0;
}

static int exec_prepare(void *state)
{
    struct exec *exec = state;
    unsigned char bytes[8];

    exec->bundle = (struct osiris_bundle){.struct_size = sizeof exec->bundle};
    if (exec->context->bundle(exec->context, &exec->bundle) < 0)
        return -1;
    /* The name is known before the first command, so that a start that was cut off can be repeated, or undone. */
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return fail(exec->host, OSIRIS_ERROR_IO, NULL, "cannot get random bytes: %s", strerror(errno));
    int length = snprintf(exec->worker, sizeof exec->worker, "%.26s-", exec->host->run_id);
    for (size_t i = 0; i < sizeof bytes; i++)
        length += snprintf(exec->worker + length, sizeof exec->worker - (size_t)length, "%02x", bytes[i]);
    return 0;
}

/* Failures of the command. */

static void note_end(struct exec *exec, int32_t state, int32_t code)
{
    exec->ended = true;
    exec->end.state = state;
    exec->end.code = code;
}

/* The exit code of a command may be its own, but the last words of its relay are not. */
static void note_last_words(struct exec *exec, struct watch *watch)
{
    struct osiris_worker_exit end;

    if (watch_read_end(watch, &end))
        note_end(exec, end.state, end.code);
}

static const char *hint_for(const char *words, int code)
{
    static const struct {
        const char *words, *hint;
    } hints[] = {
        {"Permission denied (", "ssh cannot ask for a password here: use a key without one, or ssh-agent"},
        {"Host key verification failed", "connect once by hand, or add the host's key to known_hosts"},
        {"Could not resolve hostname", "check the name of the host"},
        {"No such container", "start the container, or correct its name in `command`"},
        {"is not running", "start the container"},
        {"No space left on device", "free space in the place, or set the option `folder`"},
        {"Read-only file system", "set the option `folder` to one that can be written to"},
        {"Invalid partition", "correct the partition in `command`"},
    };

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strstr(words, hints[i].words) != NULL)
            return hints[i].hint;
    return code == 126 || code == 127 ? "the place needs a POSIX shell; the option `shell` names it" : NULL;
}

/* The first words of the command, enough to recognize it. */
static const char *command_name(const struct exec *exec, char text[128])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < exec->options.count && length < 100; i++)
        length += (size_t)snprintf(text + length, 128 - length, "%s%.40s", i == 0 ? "" : " ", exec->options.command[i]);
    return text;
}

/* Ends the command, and reports `what` with its last words. */
static int report_command(struct exec *exec, struct child *child, struct watch *watch, const char *what)
{
    char name[128], end[64], words[WATCH_TAIL];
    bool ended = child_wait(child, LAST_WORDS_MS);
    int status = child->status;

    child_end(child, 0);
    watch_join(watch);
    watch_read_tail(watch, words);
    note_last_words(exec, watch);
    if (!ended)
        snprintf(end, sizeof end, "%s", what);
    else if (WIFSIGNALED(status))
        snprintf(end, sizeof end, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(end, sizeof end, "ended with exit code %d", WEXITSTATUS(status));
    int code = ended && WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return fail(exec->host, OSIRIS_ERROR_CONNECTION, hint_for(words, code), "the command \"%s\" %s%s%s", command_name(exec, name), end,
                words[0] == '\0' ? "" : ": ", words);
}

static int report_greeting(struct exec *exec, enum greeting greeting, const char *text)
{
    char name[128], words[WATCH_TAIL];

    exec->is_watched = false;
    if (greeting == GREETING_ENDED)
        return report_command(exec, &exec->relay, &exec->watch, "has closed its output");
    if (greeting == GREETING_STALLED)
        return report_command(exec, &exec->relay, &exec->watch, "does not answer; it was ended");
    int reason = errno;
    child_end(&exec->relay, greeting == GREETING_REFUSED ? LAST_WORDS_MS : 0);
    watch_join(&exec->watch);
    watch_read_tail(&exec->watch, words);
    command_name(exec, name);
    if (greeting == GREETING_CANCELLED)
        return fail(exec->host, OSIRIS_ERROR_CANCELLED, NULL, "cancelled while \"%s\" was connecting", name);
    if (greeting == GREETING_NOISE)
        return fail(exec->host, OSIRIS_ERROR_CONNECTION, "what it prints first must be short", "the command \"%s\" prints too much", name);
    if (greeting == GREETING_NO_BUNDLE)
        return fail(exec->host, OSIRIS_ERROR_IO, NULL, "cannot read \"%s\": %s", exec->bundle.path, strerror(reason));
    return fail(exec->host, OSIRIS_ERROR_CONFIG, hint_for(words, 0), "the place behind \"%s\" cannot be used: %s%s%s%s", name, text,
                words[0] == '\0' ? "" : " (", words, words[0] == '\0' ? "" : ")");
}

/* Links. */

/* The relay of a link that is not used any more. */
static void drop_link(struct exec *exec, int patience_ms)
{
    child_end(&exec->relay, patience_ms);
    if (exec->is_watched)
        watch_join(&exec->watch);
    exec->is_watched = false;
}

/* Runs the command with a script that becomes a relay. */
static int run_relay(struct exec *exec, const struct greeting_options *options, enum greeting *greeting, struct greeting_result *result)
{
    if (child_start(&exec->relay, &exec->options, exec->host) < 0)
        return -1;
    int errors = exec->relay.errors;
    exec->relay.errors = -1;
    if (watch_start(&exec->watch, exec->host, errors, exec->diagnostics, &exec->log_offset) < 0) {
        child_end(&exec->relay, 0);
        return -1;
    }
    exec->is_watched = true;
    *greeting = greeting_await(&exec->relay, options, result);
    return 0;
}

/* A link that breaks while the bundle is sent, or before the relay has greeted: the script may be repeated. */
static bool may_repeat(const struct exec *exec, enum greeting greeting, const struct greeting_result *result, int attempt)
{
    return greeting == GREETING_ENDED && result->begun && attempt < ATTEMPTS && !exec->host->cancelled(exec->host);
}

/* The channel gets the pipes of the command. Takes `script`. */
static int make_link(struct exec *exec, char *script, const struct osiris_bundle *bundle, struct osiris_channel *channel)
{
    const struct greeting_options options = {
        .host = exec->host, .script = script, .mark = exec->worker, .bundle = bundle, .timeout_ms = exec->options.connect_ms};
    struct greeting_result *result = malloc(sizeof *result);
    enum greeting greeting = GREETING_ENDED;
    int started = -1;

    if (script == NULL || result == NULL)
        (void)out_of_memory(exec);
    else
        started = run_relay(exec, &options, &greeting, result);
    for (int attempt = 1; bundle != NULL && started == 0 && may_repeat(exec, greeting, result, attempt); attempt++) {
        drop_link(exec, LAST_WORDS_MS);
        started = run_relay(exec, &options, &greeting, result);
    }
    free(script);
    /* A worker may have been started even if its relay was not heard of. */
    if (started == 0 && bundle != NULL && greeting != GREETING_REFUSED)
        strcpy(exec->at, result->text);
    if (started == 0 && greeting != GREETING_DONE)
        started = report_greeting(exec, greeting, result->text);
    if (started == 0 && bundle != NULL)
        exec->host->metric(exec->host, "bundle_uploaded_bytes", result->uploaded ? (double)bundle->size : 0, "bytes");
    free(result);
    if (started < 0)
        return -1;
    channel->input = exec->relay.output;
    channel->output = exec->relay.input;
    exec->relay.output = exec->relay.input = -1;
    return 0;
}

/* What the place has where. */

static char *join(const char *folder, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static int name_paths(struct exec *exec)
{
    char bundle[GREETING_TEXT + 128];
    size_t count = 0;

    while (exec->bundle.driver_paths[count] != NULL)
        count++;
    snprintf(bundle, sizeof bundle, "%s/bundles/%s", exec->at, exec->bundle.hash);
    exec->driver_paths = calloc(count + 1, sizeof *exec->driver_paths);
    if (exec->driver_paths == NULL || asprintf(&exec->folder, "%s/runs/%s", exec->at, exec->worker) < 0)
        return out_of_memory(exec);
    for (size_t i = 0; i < count; i++)
        if ((exec->driver_paths[i] = join(bundle, exec->bundle.driver_paths[i])) == NULL)
            return out_of_memory(exec);
    if (exec->options.shares_files) {
        exec->working_dir = getcwd(NULL, 0);
        return exec->working_dir == NULL ? fail(exec->host, OSIRIS_ERROR_IO, NULL, "the working directory has no path") : 0;
    }
    exec->artifacts_dir = join(exec->folder, "artifacts");
    exec->temp_dir = join(exec->folder, "tmp");
    return exec->artifacts_dir == NULL || exec->temp_dir == NULL ? out_of_memory(exec) : 0;
}

static void forget_paths(struct exec *exec)
{
    for (size_t i = 0; exec->driver_paths != NULL && exec->driver_paths[i] != NULL; i++)
        free(exec->driver_paths[i]);
    free(exec->driver_paths);
    free(exec->folder);
    free(exec->artifacts_dir);
    free(exec->temp_dir);
    free(exec->working_dir);
}

static void judge_relay(struct exec *exec)
{
    if (!exec->is_watched)
        return;
    watch_join(&exec->watch);
    note_last_words(exec, &exec->watch);
}

static int exec_execute(void *state, struct osiris_channel *channel)
{
    struct exec *exec = state;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail(exec->host, OSIRIS_ERROR_IO, NULL, "cannot create a pipe: %s", strerror(errno));
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    exec->diagnostics = ends[1];
    exec->started = true;
    if (make_link(exec, script_start(&exec->options, &exec->bundle, exec->worker, exec->worker), &exec->bundle, channel) < 0 || name_paths(exec) < 0) {
        (void)close(ends[0]);
        return -1;
    }
    channel->diagnostics = ends[0];
    channel->flags = OSIRIS_CHANNEL_REMOTE | (exec->options.shares_files ? 0 : OSIRIS_CHANNEL_FILES_HOME);
    channel->driver_paths = (const char *const *)exec->driver_paths;
    channel->artifacts_dir = exec->artifacts_dir;
    channel->temp_dir = exec->temp_dir;
    channel->working_dir = exec->working_dir;
    return 0;
}

static int exec_reconnect(void *state, struct osiris_channel *channel)
{
    struct exec *exec = state;

    /* If the worker has ended, that is why the link did, and the old relay is about to say so. */
    if (exec->relay.pid != 0 && child_wait(&exec->relay, LAST_WORDS_MS))
        judge_relay(exec);
    if (exec->ended)
        return fail(exec->host, OSIRIS_ERROR_CONNECTION, NULL, "the worker has ended");
    drop_link(exec, 0);
    return make_link(exec, script_relay(exec->at, exec->bundle.hash, exec->worker, exec->log_offset, exec->worker), NULL, channel);
}

/* The worker's end. */

/* One run of the command whose output is a line, at most `size` - 1 bytes of it. Takes `script`. -1: it has failed. */
static int ask(struct exec *exec, char *script, int timeout_ms, char *line, size_t size)
{
    struct child child = CHILD_INIT;
    int64_t deadline = now_ms() + timeout_ms;
    size_t length = 0;

    if (script == NULL || child_start(&child, &exec->options, exec->host) < 0) {
        free(script);
        return -1;
    }
    (void)!write(child.input, script, strlen(script));
    free(script);
    (void)close(child.input);
    child.input = -1;
    (void)fcntl(child.output, F_SETFL, O_NONBLOCK);
    while (length + 1 < size && now_ms() < deadline) {
        ssize_t got = read(child.output, line + length, size - 1 - length);
        if (got > 0)
            length += (size_t)got;
        else if (got == 0 || errno != EAGAIN)
            break;
        else
            (void)child_wait(&child, 10);
    }
    line[length] = '\0';
    bool ended = child_wait(&child, (int)(deadline > now_ms() ? deadline - now_ms() : 0));
    int code = ended && WIFEXITED(child.status) ? WEXITSTATUS(child.status) : -1;
    child_end(&child, 0);
    return code == 0 || code == NO_WORKER ? 0 : -1;
}

/* Banners may come before the line. */
static void ask_status(struct exec *exec, int timeout_ms)
{
    char text[4096];

    if (ask(exec, script_status(exec->at, exec->bundle.hash, exec->worker), timeout_ms, text, sizeof text) < 0)
        return;
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '\n')
        text[length - 1] = '\0';
    const char *newline = strrchr(text, '\n'), *line = newline == NULL ? text : newline + 1;
    int code;
    if (sscanf(line, "exited %d", &code) == 1)
        note_end(exec, OSIRIS_WORKER_EXITED, code);
    else if (sscanf(line, "signalled %d", &code) == 1)
        note_end(exec, OSIRIS_WORKER_SIGNALLED, code);
    else if (strcmp(line, "none") == 0)
        note_end(exec, OSIRIS_WORKER_LOST, 0);
}

static int exec_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    struct exec *exec = state;

    if (!exec->ended && exec->relay.pid != 0 && child_wait(&exec->relay, timeout_ms))
        judge_relay(exec);
    if (!exec->ended && timeout_ms > 0 && exec->at[0] != '\0' && (exec->relay.pid == 0 || exec->relay.ended))
        ask_status(exec, timeout_ms);
    result->state = exec->ended ? exec->end.state : OSIRIS_WORKER_RUNNING;
    result->code = exec->ended ? exec->end.code : 0;
    return 0;
}

/* Does not wait for the command. */
static int exec_terminate(void *state, int32_t how)
{
    struct exec *exec = state;
    char *script = exec->at[0] == '\0' || exec->ended
                       ? NULL
                       : script_kill(exec->at, exec->bundle.hash, exec->worker, how == OSIRIS_TERMINATE_KILL ? "kill" : "ask");

    if (script == NULL)
        return 0;
    child_end(&exec->killer, 0);
    int started = child_start(&exec->killer, &exec->options, exec->host);
    if (started == 0) {
        (void)!write(exec->killer.input, script, strlen(script));
        (void)close(exec->killer.input);
        exec->killer.input = -1;
    }
    free(script);
    return started;
}

/* Artifacts come over the channel, or lie where the place shares the folder. */
static int exec_collect(void *state)
{
    (void)state;
    return 0;
}

static void exec_close(void *state)
{
    struct exec *exec = state;
    char text[256];

    drop_link(exec, exec->ended ? END_MS : 0);
    child_end(&exec->killer, END_MS);
    if (exec->at[0] != '\0' && (!exec->ended || exec->end.state == OSIRIS_WORKER_LOST) &&
        ask(exec, script_kill(exec->at, exec->bundle.hash, exec->worker, "kill"), KILL_MS, text, sizeof text) < 0)
        exec->host->log(exec->host, OSIRIS_WARNING,
                        "the worker in the place could not be ended; it ends by itself when its orchestrator is silent");
    if (exec->diagnostics >= 0)
        (void)close(exec->diagnostics);
    forget_paths(exec);
    options_clear(&exec->options);
    free(exec);
}

static const struct osiris_adapter exec_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = "exec",
    .version = "1.0.0",
    .spec = options_spec,
    .open = exec_open,
    .prepare = exec_prepare,
    .execute = exec_execute,
    .worker_exit = exec_worker_exit,
    .terminate = exec_terminate,
    .collect = exec_collect,
    .close = exec_close,
    .reconnect = exec_reconnect,
};

static const struct osiris_adapter *const adapters[] = {&exec_adapter, NULL};

OSIRIS_PLUGIN(exec) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "exec",
    .version = "1.0.0",
    .adapters = adapters,
};
