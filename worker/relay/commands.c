/* The commands; see commands.h. */
#include "worker/relay/commands.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "worker/relay/relay.h"
#include "worker/relay/start.h"

#define ATTEMPTS 5
#define ANSWER_MS 15000 /* a keeper that kills its worker tells relays of it, and removes folders */

struct words {
    char *path; /* of the folder, without slashes at its end; owned */
    uint64_t log_offset;
    const char **removed; /* owned; the words are argv's */
    size_t removed_count;
};

static void words_clear(struct words *words)
{
    free(words->path);
    free(words->removed);
}

static int fail(const struct osiris_error *error)
{
    fprintf(stderr, "osiris-worker: relay: %s\n", error->message);
    return RELAY_FAILED;
}

/* What whoever has started this has left open must not stay open in the worker, and 0 to 2 must not become something else. */
static void tidy_descriptors(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
        (void)fcntl(fd, F_SETFD, 0);
    cleanup_close_value(&fd);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
        return;
#endif
    struct rlimit limit;
    const int last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
    for (fd = STDERR_FILENO + 1; fd < last; fd++)
        (void)close(fd);
}

/* Secrets pass through a relay, and what drivers print is in the keeper's memory. */
static void protect_memory(void)
{
    static const struct rlimit no_core = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
#ifndef OSIRIS_SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

static int read_path(struct words *words, const char *text, struct osiris_error *error)
{
    size_t length = strlen(text);

    while (length > 1 && text[length - 1] == '/')
        length--;
    words->path = strndup(text, length);
    return text[0] == '/' ? 0 : osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is not an absolute path", text);
}

static int read_only_path(struct words *words, int count, char **texts, struct osiris_error *error)
{
    if (count != 1)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "one folder must be named");
    return read_path(words, texts[0], error);
}

static int read_offset(struct words *words, const char *text, struct osiris_error *error)
{
    char *end;

    errno = 0;
    words->log_offset = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "--log-offset: \"%s\" is not a number", text);
    return 0;
}

static int read_words(struct words *words, int count, char **texts, bool starts, struct osiris_error *error)
{
    if (count == 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "a folder is missing");
    if (read_path(words, texts[0], error) < 0)
        return -1;
    words->removed = calloc((size_t)count, sizeof *words->removed);
    for (int i = 1; i < count; i += 2) {
        const bool removes = starts && strcmp(texts[i], "--remove") == 0;
        if (i + 1 == count || (!removes && strcmp(texts[i], "--log-offset") != 0))
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "unexpected argument \"%s\"", texts[i]);
        if (!removes && read_offset(words, texts[i + 1], error) < 0)
            return -1;
        if (removes && texts[i + 1][0] != '/')
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "--remove: \"%s\" is not an absolute path", texts[i + 1]);
        if (removes)
            words->removed[words->removed_count++] = texts[i + 1];
    }
    return 0;
}

static int be_relay(const char *path, uint64_t log_offset)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct folder folder;
    const int result = folder_open(&folder, path, &error);

    if (result == FOLDER_NONE)
        return RELAY_NO_WORKER;
    const int code = result < 0 ? RELAY_FAILED : relay_run(&folder, log_offset, &error);
    return code == RELAY_FAILED ? fail(&error) : code;
}

static int command_start(int count, char **texts, worker_function work)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_(words_clear) struct words words = {0};

    protect_memory();
    tidy_descriptors();
    if (read_words(&words, count, texts, true, &error) < 0)
        return fail(&error);
    const struct start_request request = {words.path, words.removed, words.removed_count, work};
    return start_worker_in(&request, &error) < 0 ? fail(&error) : be_relay(words.path, words.log_offset);
}

static int command_relay(int count, char **texts, worker_function work)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_(words_clear) struct words words = {0};

    (void)work;
    protect_memory();
    tidy_descriptors();
    return read_words(&words, count, texts, false, &error) < 0 ? fail(&error) : be_relay(words.path, words.log_offset);
}

/* Until the keeper closes the connection. */
static int read_answer(int fd, char *text, size_t size, struct osiris_error *error)
{
    const int64_t deadline_ms = clock_monotonic_ms() + ANSWER_MS;
    size_t length = 0;

    while (length < size - 1) {
        const int64_t left = deadline_ms - clock_monotonic_ms();
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "the keeper of the worker does not answer");
        if (poll(&entry, 1, (int)left) <= 0)
            continue;
        ssize_t got = read(fd, text + length, size - 1 - length);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    return 0;
}

/* FOLDER_OPEN: there is a keeper, and this is its answer. */
static int ask(const char *path, const char *line, char *text, size_t size, struct osiris_error *error)
{
    _cleanup_folder_ struct folder folder;
    int result = folder_open(&folder, path, error);

    if (result != FOLDER_OPEN)
        return result;
    _cleanup_close_ int fd = relay_ask_keeper(&folder, line);
    return fd < 0 ? FOLDER_NONE : read_answer(fd, text, size, error);
}

static int command_status(int count, char **texts, worker_function work)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_(words_clear) struct words words = {0};
    char text[64];

    (void)work;
    if (read_only_path(&words, count, texts, &error) < 0)
        return fail(&error);
    const int result = ask(words.path, "status\n", text, sizeof text, &error);
    if (result < 0)
        return fail(&error);
    fputs(result == FOLDER_OPEN && text[0] != '\0' ? text : "none\n", stdout);
    return fflush(stdout) == 0 ? 0 : RELAY_FAILED;
}

/* What a keeper that was killed has left. FOLDER_OPEN: a keeper has come meanwhile. FOLDER_NONE: nothing is left. */
static int remove_remains(const char *path, bool at_once, bool *removed, struct osiris_error *error)
{
    _cleanup_folder_ struct folder folder;
    const int result = folder_lock(&folder, path, false, error);

    if (result != FOLDER_OPEN)
        return result;
    if (folder_has_keeper(&folder))
        return FOLDER_OPEN;
    if (start_end_remains(&folder, at_once, error) < 0)
        return FOLDER_FAILED;
    folder_remove(&folder);
    *removed = true;
    return FOLDER_NONE;
}

/* A keeper may be starting, or be killed before it answers. */
static int end_worker(const char *path, bool at_once, struct osiris_error *error)
{
    bool found = false, removed = false;
    char text[64];
    int result = FOLDER_OPEN;

    for (int i = 0; i < ATTEMPTS && result == FOLDER_OPEN; i++) {
        result = ask(path, at_once ? "kill\n" : "ask\n", text, sizeof text, error);
        found = found || result == FOLDER_OPEN;
        if (result == FOLDER_OPEN && !at_once)
            return 0;
        if (result >= 0)
            result = remove_remains(path, at_once, &removed, error);
    }
    if (result == FOLDER_NONE)
        return found || removed ? 0 : RELAY_NO_WORKER;
    return result == FOLDER_OPEN ? osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "workers in the folder \"%s\" start again and again", path)
                                 : FOLDER_FAILED;
}

static int command_kill(int count, char **texts, worker_function work)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_(words_clear) struct words words = {0};

    (void)work;
    if (count != 2 || (strcmp(texts[1], "ask") != 0 && strcmp(texts[1], "kill") != 0)) {
        osiris_error_set(&error, OSIRIS_ERROR_CONFIG, "--kill needs a folder, and \"ask\" or \"kill\"");
        return fail(&error);
    }
    if (read_path(&words, texts[0], &error) < 0)
        return fail(&error);
    const int code = end_worker(words.path, strcmp(texts[1], "kill") == 0, &error);
    return code < 0 ? fail(&error) : code;
}

/* Only what has a worker's lock, and neither a keeper nor a worker. */
static void sweep(const char *path)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_folder_ struct folder folder;

    if (folder_lock(&folder, path, false, &error) == FOLDER_OPEN && !folder_is_alive(&folder))
        folder_remove(&folder);
}

static int command_sweep(int count, char **texts, worker_function work)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_(words_clear) struct words words = {0};

    (void)work;
    if (read_only_path(&words, count, texts, &error) < 0)
        return fail(&error);
    _cleanup_dir_ DIR *parent = opendir(words.path);
    if (parent == NULL && errno == ENOENT)
        return 0;
    if (parent == NULL) {
        osiris_error_set_errno(&error, errno, "cannot read the folder \"%s\"", words.path);
        return fail(&error);
    }
    for (struct dirent *entry = readdir(parent); entry != NULL; entry = readdir(parent)) {
        _cleanup_free_ char *path = memory_format("%s/%s", words.path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            sweep(path);
    }
    return 0;
}

static const struct {
    const char *name;
    int (*run)(int count, char **texts, worker_function work);
} commands[] = {
    {"--start", command_start}, {"--relay", command_relay}, {"--status", command_status},
    {"--kill", command_kill},   {"--sweep", command_sweep},
};

bool relay_command(int argc, char **argv, worker_function work, int *code)
{
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            *code = commands[i].run(argc - 2, argv + 2, work);
            return true;
        }
    }
    return false;
}
