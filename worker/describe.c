/* Describing plug-ins, each in a child process; see describe.h. */
#include "worker/describe.h"

#include <fcntl.h>
#include <osiris/plugin.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/atomic-file.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/json-build.h"
#include "core/loader.h"

#define LOAD_TIMEOUT_MS 5000
#define DESCRIPTION_MAXIMUM (16u << 20)

static const char *kind_name(int kind)
{
    switch (kind) {
    case OSIRIS_EXTRACTOR:
        return "extractor";
    case OSIRIS_PROCESSOR:
        return "processor";
    default:
        return "writer";
    }
}

static json_object *describe_driver(const struct osiris_driver *driver)
{
    json_object *object = json_object_new_object();
    json_object *aliases = json_object_new_array();

    json_add_string(object, "name", driver->name);
    for (size_t i = 0; driver->aliases != NULL && driver->aliases[i] != NULL; i++)
        json_append(aliases, json_object_new_string(driver->aliases[i]));
    json_add(object, "aliases", aliases);
    json_add_string(object, "kind", kind_name(driver->kind));
    json_add_string(object, "version", driver->version);
    json_add(object, "spec", json_tokener_parse(driver->spec));
    return object;
}

static json_object *describe_adapter(const struct osiris_adapter *adapter)
{
    json_object *object = json_object_new_object();

    json_add_string(object, "name", adapter->name);
    json_add_string(object, "version", adapter->version);
    json_add(object, "spec", json_tokener_parse(adapter->spec));
    return object;
}

static json_object *describe(const char *path)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    const struct osiris_plugin *plugin = loader_open(path, &error);
    json_object *object = json_object_new_object();
    char version[32];

    json_add_string(object, "file", path);
    if (plugin == NULL) {
        json_add_string(object, "error", error.message);
        return object;
    }
    json_object *drivers = json_object_new_array();
    json_object *adapters = json_object_new_array();
    snprintf(version, sizeof version, "%u.%u", plugin->abi_version >> 16,
             plugin->abi_version & 0xffff);
    json_add_string(object, "abi_version", version);
    json_add_string(object, "plugin", plugin->name);
    json_add_string(object, "version", plugin->version);
    for (size_t i = 0; plugin->drivers != NULL && plugin->drivers[i] != NULL; i++)
        json_append(drivers, describe_driver(plugin->drivers[i]));
    for (size_t i = 0; plugin->adapters != NULL && plugin->adapters[i] != NULL; i++)
        json_append(adapters, describe_adapter(plugin->adapters[i]));
    json_add(object, "drivers", drivers);
    json_add(object, "adapters", adapters);
    return object;
}

/* The child: loads, answers through the pipe, and leaves without running the plug-in's exit handlers. */
static void describe_in_child(const char *path, int answer)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* What a plug-in prints while it is loaded must not mix with the answers. */
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
        _exit(1);
    json_object *description = describe(path);
    const char *text = json_object_to_json_string_ext(description, JSON_C_TO_STRING_PLAIN);
    if (text == NULL || write_fully(answer, text, strlen(text)) < 0)
        _exit(1);
    _exit(0);
}

/* 1: the answer is whole; 0: the time is over; -1: it failed. */
static int read_child(int fd, struct buffer *answer)
{
    int64_t deadline_ms = clock_monotonic_ms() + LOAD_TIMEOUT_MS;

    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left = deadline_ms - clock_monotonic_ms();
        int ready = left <= 0 ? 0 : poll(&poll_fd, 1, (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return 0;
        char *room = buffer_reserve(answer, 65536);
        ssize_t got = room == NULL ? -1 : read(fd, room, 65536);
        if (got < 0)
            return -1;
        if (got == 0)
            return buffer_append(answer, "", 0) == 0 ? 1 : -1;
        answer->length += (size_t)got;
    }
}

static json_object *refusal(const char *path, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static json_object *refusal(const char *path, const char *format, ...)
{
    json_object *object = json_object_new_object();
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_add_string(object, "file", path);
    json_add_string(object, "error", text);
    return object;
}

static json_object *describe_guarded(const char *path)
{
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(DESCRIPTION_MAXIMUM);
    int pipes[2];
    int status = 0;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return refusal(path, "cannot describe it: %m");
    pid_t child = fork();
    if (child == 0)
        describe_in_child(path, pipes[1]);
    (void)close(pipes[1]);
    int whole = child < 0 ? -1 : read_child(pipes[0], &answer);
    (void)close(pipes[0]);
    if (child < 0)
        return refusal(path, "cannot describe it: no process");
    if (whole != 1)
        (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (whole == 0)
        return refusal(path, "plug-in \"%s\": it did not load within %d s", path,
                       LOAD_TIMEOUT_MS / 1000);
    json_object *description =
        whole == 1 && answer.length > 0 ? json_tokener_parse(answer.data) : NULL;
    if (description != NULL)
        return description;
    if (WIFSIGNALED(status))
        return refusal(path, "plug-in \"%s\": killed by SIG%s while it was loaded", path,
                       sigabbrev_np(WTERMSIG(status)));
    return refusal(path, "plug-in \"%s\": it ended the process with status %d while it was loaded",
                   path, WEXITSTATUS(status));
}

int worker_describe(int count, char **files)
{
    _cleanup_json_ json_object *all = json_object_new_array();

    for (int i = 0; i < count; i++)
        json_append(all, describe_guarded(files[i]));
    const char *text = json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN);
    if (text == NULL || write_fully(STDOUT_FILENO, text, strlen(text)) < 0)
        return 1;
    return 0;
}
