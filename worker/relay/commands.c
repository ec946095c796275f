/* The commands for workers in other places; see commands.h. */
#include "worker/relay/commands.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "worker/relay/bundles.h"
#include "worker/relay/folder.h"
#include "worker/relay/keeper.h"
#include "worker/relay/log.h"
#include "worker/relay/relay.h"

#define STEP_MS 10
#define START_MS 10000   /* for another starter to get as far as that its worker is known */
#define PATIENCE_MS 5000 /* with a keeper that was told to kill its worker */
#define GONE_MS 10000    /* for everything to be gone */
#define UNUSED_S 3600    /* a folder in which no worker was started is swept when it is older */

struct options {
    const char *folder;
    int64_t log_offset;
    struct keeper_options keeper;
};

/* A number from 0 on; -1: the text is not one. */
static int64_t number(const char *text)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && value >= 0 ? value : -1;
}

/* 0, or -1: they are not right. `starts`: what concerns the start is allowed, too. */
static int parse(struct options *options, int count, char **arguments, bool starts)
{
    if (count < 2)
        return -1;
    options->folder = arguments[1];
    options->keeper.log_limit = LOG_LIMIT;
    for (int i = 2; i < count; i++) {
        bool has_value = i + 1 < count;
        if (strcmp(arguments[i], "--log-offset") == 0 && has_value)
            options->log_offset = number(arguments[++i]);
        else if (starts && strcmp(arguments[i], "--log-limit") == 0 && has_value)
            options->keeper.log_limit = number(arguments[++i]);
        else if (starts && strcmp(arguments[i], "--bundle") == 0 && has_value)
            options->keeper.bundle = arguments[++i];
        else if (starts && strcmp(arguments[i], "--remove-bundle") == 0)
            options->keeper.removes_bundle = true;
        else
            return -1;
    }
    return options->log_offset < 0 || options->keeper.log_limit < 0 || (options->keeper.removes_bundle && options->keeper.bundle == NULL)
               ? -1
               : 0;
}

static int fail(const struct osiris_error *error)
{
    fprintf(stderr, "osiris-worker: relay: %s\n", error->message);
    return RELAY_FAILED;
}

/* Starting and linking. */

/* Starts a worker unless there is, or was, one. A starter that was killed may have left a socket. */
static int start(struct relay_folder *folder, const struct options *options, struct osiris_error *error)
{
    int64_t deadline = clock_monotonic_ms() + START_MS;
    int locked;

    while ((locked = relay_folder_lock(folder, error)) == 0) {
        if (relay_folder_has(folder, "socket"))
            return 0;
        if (clock_monotonic_ms() >= deadline)
            return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "another process is starting a worker in \"%s\"", folder->path);
        (void)poll(NULL, 0, STEP_MS);
    }
    if (locked == 1 && !relay_folder_has(folder, "pid") && !relay_folder_has(folder, "status")) {
        (void)unlinkat(folder->fd, "socket", 0);
        return keeper_start(folder, &options->keeper, error);
    }
    relay_folder_unlock(folder);
    return locked < 0 ? -1 : 0;
}

static int command_start(const struct options *options, int (*work)(int))
{
    _cleanup_relay_folder_ struct relay_folder folder = RELAY_FOLDER_INIT;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct options mine = *options;

    mine.keeper.work = work;
    if (relay_folder_open(&folder, options->folder, true, &error) < 0 || start(&folder, &mine, &error) < 0)
        return fail(&error);
    return relay_run(&folder, options->log_offset);
}

static int command_relay(const struct options *options)
{
    _cleanup_relay_folder_ struct relay_folder folder = RELAY_FOLDER_INIT;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (relay_folder_open(&folder, options->folder, false, &error) < 0)
        return error.category == OSIRIS_ERROR_NOT_FOUND ? RELAY_NO_WORKER : fail(&error);
    return relay_run(&folder, options->log_offset);
}

static int command_status(const char *path)
{
    _cleanup_relay_folder_ struct relay_folder folder = RELAY_FOLDER_INIT;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    pid_t keeper, worker;
    bool signalled;
    int code;

    if (relay_folder_open(&folder, path, false, &error) < 0 && error.category != OSIRIS_ERROR_NOT_FOUND)
        return fail(&error);
    if (folder.fd >= 0 && relay_folder_read_status(&folder, &signalled, &code)) {
        printf("%s %d\n", signalled ? "signalled" : "exited", code);
        relay_folder_mark(&folder, "seen");
    } else if (folder.fd >= 0 && relay_folder_is_locked(&folder) && relay_folder_read_pids(&folder, &keeper, &worker)) {
        printf("running %d\n", (int)worker);
    } else {
        puts("none");
    }
    return 0;
}

/* Ending. */

/* The keeper passes it on to the worker. If it was killed, the worker is ending by itself, but may need help. */
static void signal_worker(const struct relay_folder *folder, bool kills)
{
    int64_t deadline = clock_monotonic_ms() + START_MS;
    pid_t keeper, worker;

    while (!relay_folder_read_pids(folder, &keeper, &worker)) {
        if (!relay_folder_is_locked(folder) || clock_monotonic_ms() >= deadline)
            return;
        (void)poll(NULL, 0, STEP_MS);
    }
    if (kill(keeper, kills ? KEEPER_KILL : SIGTERM) < 0 && errno == ESRCH)
        (void)kill(kills ? -worker : worker, kills ? SIGKILL : SIGTERM);
}

static void signal_all(const struct relay_folder *folder)
{
    pid_t keeper, worker;

    if (!relay_folder_read_pids(folder, &keeper, &worker))
        return;
    (void)kill(keeper, SIGKILL);
    (void)kill(-worker, SIGKILL);
}

/* Everything has gone, or, at the latest, is killed now. False: it still runs. */
static bool wait_until_gone(const struct relay_folder *folder)
{
    int64_t begin = clock_monotonic_ms();
    bool killed = false;

    while (relay_folder_is_locked(folder)) {
        int64_t passed = clock_monotonic_ms() - begin;
        if (passed >= PATIENCE_MS && !killed) {
            signal_all(folder);
            killed = true;
        }
        if (passed >= GONE_MS)
            return false;
        (void)poll(NULL, 0, STEP_MS);
    }
    return true;
}

static int command_kill(const char *path, const char *how)
{
    _cleanup_relay_folder_ struct relay_folder folder = RELAY_FOLDER_INIT;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    bool kills = strcmp(how, "kill") == 0;

    if (!kills && strcmp(how, "ask") != 0)
        return -1;
    if (relay_folder_open(&folder, path, false, &error) < 0)
        return error.category == OSIRIS_ERROR_NOT_FOUND ? 0 : fail(&error);
    signal_worker(&folder, kills);
    if (!kills)
        return 0;
    relay_folder_mark(&folder, "seen");
    if (!wait_until_gone(&folder)) {
        osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "the worker in \"%s\" does not end", path);
        return fail(&error);
    }
    remove_tree(path);
    return 0;
}

/* Clearing. */

static void sweep(const char *path)
{
    _cleanup_relay_folder_ struct relay_folder folder = RELAY_FOLDER_INIT;
    struct stat status;

    if (relay_folder_open(&folder, path, false, NULL) < 0 || fstat(folder.fd, &status) < 0)
        return;
    if (relay_folder_has(&folder, "lock") ? relay_folder_lock(&folder, NULL) == 1 : status.st_mtim.tv_sec + UNUSED_S < time(NULL))
        remove_tree(path);
}

static int command_sweep(const char *parent)
{
    _cleanup_dir_ DIR *folder = opendir(parent);
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        _cleanup_free_ char *path = memory_format("%s/%s", parent, entry->d_name);
        sweep(path);
    }
    return 0;
}

static int command_prune(const char *parent, const char *kept)
{
    int64_t count = number(kept);

    if (count < 0 || count > 1000000)
        return -1;
    bundles_prune(parent, (unsigned)count);
    return 0;
}

bool relay_is_command(const char *word)
{
    static const char *const words[] = {"--start", "--relay", "--status", "--kill", "--sweep", "--prune"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

int relay_command(int count, char **arguments, int (*work)(int listen_fd))
{
    struct options options = {.folder = NULL};
    const char *command = arguments[0];
    bool starts = strcmp(command, "--start") == 0;

    if (starts || strcmp(command, "--relay") == 0) {
        if (parse(&options, count, arguments, starts) < 0)
            return -1;
        return starts ? command_start(&options, work) : command_relay(&options);
    }
    if (strcmp(command, "--status") == 0)
        return count == 2 ? command_status(arguments[1]) : -1;
    if (strcmp(command, "--kill") == 0)
        return count == 3 ? command_kill(arguments[1], arguments[2]) : -1;
    if (strcmp(command, "--sweep") == 0)
        return count == 2 ? command_sweep(arguments[1]) : -1;
    return count == 3 ? command_prune(arguments[1], arguments[2]) : -1;
}
