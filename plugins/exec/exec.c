/*
 * The execution adapter for places that a command reaches (docs/exec.md): `ssh build-box`, `docker exec -i etl`, `srun -n1`. It brings a
 * bundle with the worker, and starts that detached from the command. Each link to it is a relay (docs/protocol.md), which one run of the
 * command carries. docs/adapters.md explains how to write an adapter, with this one as the example.
 *
 *   open         reads the options
 *   prepare      has the bundle made
 *   execute      runs the command with a script that unpacks the bundle if it is not there, and starts the worker and a relay;
 *                the pipes of the command are the channel
 *   reconnect    runs it with a script that becomes another relay
 *   worker_exit  what the relay has said when it ended, or another run of the command finds out
 *   terminate    runs it to end the worker
 *   close        the same, and waits until nothing is left
 */
#include <errno.h>
#include <fcntl.h>
#include <osiris/kit.h>
#include <osiris/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "errors.h"
#include "greeting.h"
#include "link.h"
#include "log.h"
#include "options.h"
#include "script.h"

#define ATTEMPTS 10        /* to start, as long as the script has begun each time */
#define LAST_WORDS_MS 2500 /* for a link that has broken to say whether the worker has ended */
#define CLOSE_MS 8000      /* for all of `close`: osiris leaves an adapter behind after 10 s */
#define LEAVE_MS 3000      /* of those, for a relay whose worker has ended to see its folder removed */
#define KILLER_MS 2000     /* of those, for a command that kills the worker already */
#define STATUS_MS 10000    /* for the one that asks for it, unless the caller has less time */

/* Exit codes of a relay (docs/protocol.md). */
enum {
    RELAY_SIGNALLED = 64, /* plus the number of the signal */
    RELAY_LINK_ENDED = 96,
    RELAY_NO_WORKER = 97,
    RELAY_CANNOT_RUN = 126, /* the bundle is gone, and with it the place as it was */
    RELAY_NOT_FOUND = 127,
};

struct exec {
    const struct osiris_host *host;
    const struct osiris_adapter_context *context;
    struct options options;
    struct osiris_bundle bundle;
    struct script_place place;
    char *worker; /* the name of its folder */
    char *folder; /* as the place has said it, or NULL */
    char **driver_paths, *artifacts_dir, *temp_dir, *working_dir; /* in the place */
    struct log log;
    struct link link;
    struct command killers[2]; /* see terminate */
    bool may_run;              /* a worker may be there */
    bool ended;
    struct osiris_worker_exit end; /* if it has */
};

static int out_of_memory(const struct exec *exec)
{
    return osiris_fail(exec->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

/* Opening and preparing. */

static void free_paths(struct exec *exec)
{
    for (size_t i = 0; exec->driver_paths != NULL && exec->driver_paths[i] != NULL; i++)
        free(exec->driver_paths[i]);
    free(exec->driver_paths);
    free(exec->artifacts_dir);
    free(exec->temp_dir);
    free(exec->working_dir);
    exec->driver_paths = NULL;
    exec->artifacts_dir = exec->temp_dir = exec->working_dir = NULL;
}

static void free_exec(struct exec *exec)
{
    free_paths(exec);
    options_clear(&exec->options);
    close_fd(&exec->log.diagnostics);
    free(exec->worker);
    free(exec->folder);
    free(exec);
}

static int exec_open(const struct osiris_host *host, const struct osiris_adapter_context *context, void **state)
{
    if (!OSIRIS_HAS(context, bundle) || context->bundle == NULL)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, "build osiris with bundles (configure says what is missing)",
                           "this osiris cannot make bundles");
    struct exec *exec = calloc(1, sizeof *exec);
    if (exec == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    exec->host = host;
    exec->context = context;
    exec->link = (struct link)LINK_INIT;
    exec->killers[0] = exec->killers[1] = (struct command)COMMAND_INIT;
    exec->log.diagnostics = -1;
    if (options_read(&exec->options, host) < 0) {
        free_exec(exec);
        return -1;
    }
    *state = exec;
    return 0;
}

/* The umask of this thread, which cannot be read without being set. */
static int read_umask(void)
{
    const mode_t mask = umask(077);

    (void)umask(mask);
    return (int)mask;
}

static int exec_prepare(void *state)
{
    struct exec *exec = state;
    char nonce[SCRIPT_NONCE];

    exec->bundle = (struct osiris_bundle){.struct_size = sizeof exec->bundle};
    if (exec->context->bundle(exec->context, &exec->bundle) < 0)
        return -1;
    /* The worker's folder is named before the first command, so that a start which was cut off can be repeated, or undone. */
    if (link_make_nonce(exec->host, nonce) < 0)
        return -1;
    if (asprintf(&exec->worker, "%s.%s", exec->bundle.hash, nonce) < 0) {
        exec->worker = NULL;
        return out_of_memory(exec);
    }
    exec->place = (struct script_place){
        .options = &exec->options,
        .bundle = &exec->bundle,
        .worker = exec->worker,
        .folder = exec->options.folder,
        .umask = exec->options.shares_files ? read_umask() : -1,
    };
    return 0;
}

/* Executing. */

static char *join(const char *folder, const char *between, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s%s%s", folder, between, name) < 0 ? NULL : path;
}

static int name_drivers(struct exec *exec, const char *bundle_name)
{
    size_t count = 0;

    while (exec->bundle.driver_paths[count] != NULL)
        count++;
    exec->driver_paths = calloc(count + 1, sizeof *exec->driver_paths);
    if (exec->driver_paths == NULL)
        return out_of_memory(exec);
    for (size_t i = 0; i < count; i++)
        if (asprintf(&exec->driver_paths[i], "%s/bundles/%s/%s", exec->folder, bundle_name, exec->bundle.driver_paths[i]) < 0) {
            exec->driver_paths[i] = NULL;
            return out_of_memory(exec);
        }
    return 0;
}

static int name_folders(struct exec *exec)
{
    if (exec->options.shares_files) {
        exec->working_dir = getcwd(NULL, 0);
        if (exec->working_dir == NULL)
            return osiris_fail(exec->host, OSIRIS_ERROR_IO, 0, errno, NULL, NULL, "cannot find out the working directory: %s",
                               strerror(errno));
        return 0;
    }
    char *run = join(exec->folder, "/runs/", exec->worker);
    if (run != NULL) {
        exec->artifacts_dir = join(run, "/", "artifacts");
        exec->temp_dir = join(run, "/", "tmp");
        exec->working_dir = join(run, "/", "work");
    }
    free(run);
    return exec->artifacts_dir == NULL || exec->temp_dir == NULL || exec->working_dir == NULL ? out_of_memory(exec) : 0;
}

static int note_place(struct exec *exec, const struct greeting_result *result)
{
    free_paths(exec);
    free(exec->folder);
    exec->folder = strdup(result->text);
    exec->place.folder = exec->folder;
    if (exec->folder == NULL)
        return out_of_memory(exec);
    return name_drivers(exec, result->name) < 0 ? -1 : name_folders(exec);
}

static void give_link(struct exec *exec, struct osiris_channel *channel)
{
    channel->input = exec->link.command.output;
    channel->output = exec->link.command.input;
    exec->link.command.output = exec->link.command.input = -1;
}

static void note_end(struct exec *exec, int32_t state, int32_t code)
{
    exec->ended = true;
    exec->end = (struct osiris_worker_exit){.state = state, .code = code};
}

/* What link_wait returns. Only some exit codes say that the worker has ended. */
static void note_code(struct exec *exec, int code)
{
    if (exec->ended || code < 0)
        return;
    if (code < RELAY_SIGNALLED)
        note_end(exec, OSIRIS_WORKER_EXITED, code);
    else if (code < RELAY_LINK_ENDED)
        note_end(exec, OSIRIS_WORKER_SIGNALLED, code - RELAY_SIGNALLED);
    else if (code == RELAY_NO_WORKER || code == RELAY_CANNOT_RUN || code == RELAY_NOT_FOUND)
        note_end(exec, OSIRIS_WORKER_LOST, 0);
}

/* One attempt to start. The worker's folder has the same name each time, so it does not matter how far the attempt before it got. */
static int begin_start(struct exec *exec, struct greeting_result *result)
{
    struct greeting_request request = {
        .host = exec->host, .bundle = &exec->bundle, .timeout_ms = exec->options.connect_ms, .obeys_cancel = true};

    if (link_make_nonce(exec->host, exec->link.nonce) < 0)
        return -1;
    char *script = script_start(&exec->place, exec->link.nonce, log_begin_link(&exec->log));
    request.script = script;
    const int greeting = link_begin(&exec->link, &exec->options, &exec->log, &request, result);
    free(script);
    exec->may_run = exec->may_run || result->has_begun;
    return greeting;
}

static int start(struct exec *exec, struct greeting_result *result)
{
    int64_t uploaded = 0;

    for (int attempt = 1;; attempt++) {
        const int greeting = begin_start(exec, result);
        if (greeting < 0)
            return -1;
        uploaded += result->uploaded;
        if (greeting == GREETING_RELAY)
            break;
        /* A connection that breaks after it was there is a link that has broken. */
        const bool was_cut = greeting == GREETING_ENDED && result->has_begun && link_wait(&exec->link, LAST_WORDS_MS) == LINK_BROKEN;
        if (!was_cut || attempt == ATTEMPTS)
            return link_report(&exec->link, exec->host, &exec->options, (enum greeting)greeting, result);
        osiris_log(exec->host, OSIRIS_WARNING, "the connection broke while the worker was being started; connecting again");
        link_end(&exec->link, 0);
    }
    exec->host->metric(exec->host, "bundle_uploaded", (double)uploaded, "bytes");
    return 0;
}

static int open_diagnostics(struct exec *exec, int *end)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return osiris_fail(exec->host, OSIRIS_ERROR_IO, 0, errno, NULL, NULL, "cannot create a pipe: %s", strerror(errno));
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    *end = ends[0];
    exec->log.diagnostics = ends[1];
    return 0;
}

static int exec_execute(void *state, struct osiris_channel *channel)
{
    struct exec *exec = state;
    struct greeting_result result;
    const int64_t began_ms = now_ms();
    int diagnostics = -1;

    if (open_diagnostics(exec, &diagnostics) < 0)
        return -1;
    if (start(exec, &result) < 0 || note_place(exec, &result) < 0) {
        close_fd(&diagnostics);
        return -1;
    }
    exec->host->metric(exec->host, "place_started", (double)(now_ms() - began_ms), "ms");
    give_link(exec, channel);
    channel->diagnostics = diagnostics;
    channel->flags = OSIRIS_CHANNEL_REMOTE | (exec->options.shares_files ? 0u : OSIRIS_CHANNEL_FILES_HOME);
    channel->driver_paths = (const char *const *)exec->driver_paths;
    channel->artifacts_dir = exec->artifacts_dir;
    channel->temp_dir = exec->temp_dir;
    channel->working_dir = exec->working_dir;
    return 0;
}

static int exec_reconnect(void *state, struct osiris_channel *channel)
{
    struct exec *exec = state;
    struct greeting_request request = {.host = exec->host, .timeout_ms = exec->options.connect_ms, .obeys_cancel = true};
    struct greeting_result result;

    note_code(exec, link_wait(&exec->link, LAST_WORDS_MS));
    link_end(&exec->link, 0);
    if (exec->ended)
        return osiris_fail(exec->host, OSIRIS_ERROR_CONNECTION, 0, 0, NULL, NULL, "the worker has ended");
    if (link_make_nonce(exec->host, exec->link.nonce) < 0)
        return -1;
    char *script = script_relay(&exec->place, exec->link.nonce, log_begin_link(&exec->log));
    request.script = script;
    const int greeting = link_begin(&exec->link, &exec->options, &exec->log, &request, &result);
    free(script);
    if (greeting == GREETING_RELAY) {
        give_link(exec, channel);
        return 0;
    }
    if (greeting >= 0) {
        note_code(exec, link_wait(&exec->link, greeting == GREETING_ENDED ? LAST_WORDS_MS : 0));
        (void)link_report(&exec->link, exec->host, &exec->options, (enum greeting)greeting, &result);
    }
    return -1;
}

/* Other runs of the command, which answer with one line. */

/* Takes `script`. -1: there is no answer; nothing is reported but that the command cannot be run. */
static int ask_place(struct exec *exec, const char *nonce, char *script, int timeout_ms, struct greeting_result *result)
{
    struct command command;
    const struct greeting_request request = {.host = exec->host, .nonce = nonce, .script = script, .timeout_ms = timeout_ms};
    int greeting = -1;

    if (script != NULL && command_start(&command, &exec->options, exec->host) == 0) {
        close_fd(&command.errors);
        greeting = (int)greeting_await(&command, &request, result);
        command_end(&command, greeting == GREETING_ANSWER ? timeout_ms : 0);
    }
    free(script);
    return greeting == GREETING_ANSWER ? 0 : -1;
}

static void ask_status(struct exec *exec, int timeout_ms)
{
    char nonce[SCRIPT_NONCE];
    struct greeting_result result;
    int code;

    if (link_make_nonce(exec->host, nonce) < 0 ||
        ask_place(exec, nonce, script_status(&exec->place, nonce), timeout_ms, &result) < 0)
        return;
    if (sscanf(result.text, "exited %d", &code) == 1)
        note_end(exec, OSIRIS_WORKER_EXITED, code);
    else if (sscanf(result.text, "signalled %d", &code) == 1)
        note_end(exec, OSIRIS_WORKER_SIGNALLED, code);
    else if (strncmp(result.text, "running", strlen("running")) != 0)
        note_end(exec, OSIRIS_WORKER_LOST, 0);
}

static int exec_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    struct exec *exec = state;
    const int64_t deadline = now_ms() + timeout_ms;

    if (!exec->ended) {
        const int code = link_wait(&exec->link, timeout_ms);
        const int64_t left = deadline - now_ms();
        note_code(exec, code);
        /* The link has ended without an answer. */
        if (!exec->ended && code != LINK_RUNS && left > 0 && exec->may_run)
            ask_status(exec, left < STATUS_MS ? (int)left : STATUS_MS);
    }
    result->state = exec->ended ? exec->end.state : exec->may_run ? OSIRIS_WORKER_RUNNING : OSIRIS_WORKER_LOST;
    result->code = exec->ended ? exec->end.code : 0;
    return 0;
}

/* Ending. */

/* Does not wait: the script is in the pipe, and the command is ended by `close`. */
static int exec_terminate(void *state, int32_t how)
{
    struct exec *exec = state;
    struct command *killer = &exec->killers[how == OSIRIS_TERMINATE_KILL];
    char nonce[SCRIPT_NONCE];

    if (exec->ended || !exec->may_run || killer->pid != 0)
        return 0;
    if (link_make_nonce(exec->host, nonce) < 0)
        return -1;
    char *script = how == OSIRIS_TERMINATE_KILL ? script_kill(&exec->place, nonce) : script_ask(&exec->place, nonce);
    if (script == NULL)
        return out_of_memory(exec);
    const int result = command_start(killer, &exec->options, exec->host);
    if (result == 0)
        (void)!write(killer->input, script, strlen(script));
    close_fd(&killer->input);
    free(script);
    return result;
}

/* The worker has sent its artifacts, or has written them to the final folder. */
static int exec_collect(void *state)
{
    (void)state;
    return 0;
}

static void kill_worker(struct exec *exec, int timeout_ms)
{
    char nonce[SCRIPT_NONCE], name[ERRORS_NAME];
    struct greeting_result result;

    if (link_make_nonce(exec->host, nonce) < 0 || ask_place(exec, nonce, script_kill(&exec->place, nonce), timeout_ms, &result) == 0)
        return;
    (void)osiris_fail(exec->host, OSIRIS_ERROR_CONNECTION, 0, 0, NULL, "a worker without a link ends by itself, and removes its folder",
                      "the command \"%s\" could not be used to end the worker", errors_name(&exec->options, name));
}

static void exec_close(void *state)
{
    struct exec *exec = state;
    const int64_t deadline = now_ms() + CLOSE_MS;

    note_code(exec, link_wait(&exec->link, 0));
    const bool is_over = exec->ended && exec->end.state != OSIRIS_WORKER_LOST;
    /* The script waits until the worker's folder is gone. */
    const bool is_clean = is_over && command_wait(&exec->link.command, LEAVE_MS);
    link_end(&exec->link, 0);
    command_end(&exec->killers[OSIRIS_TERMINATE_ASK], 0);
    command_end(&exec->killers[OSIRIS_TERMINATE_KILL], is_clean ? 0 : KILLER_MS);
    if (exec->may_run && !is_clean)
        kill_worker(exec, (int)(deadline - now_ms()));
    free_exec(exec);
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
