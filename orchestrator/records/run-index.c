/* The index of completed and running runs; see run-index.h. */
#include "orchestrator/records/run-index.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "orchestrator/records/beneath.h"
#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/output/litter.h"

#define INDEX_LIMIT (64 << 20)
#define LINE_LIMIT (1u << 20)
#define STATUS_LIMIT (16u << 20)
#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define PRETTY (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

static char *path_in(const char *folder, const char *name)
{
    return memory_format("%s/%s", folder, name);
}

/* Removes a line of `length` bytes that a full disk has truncated, unless somebody has written after it. */
static void take_back(int fd, size_t length)
{
    off_t end = lseek(fd, 0, SEEK_CUR);
    struct stat status;

    if (end >= (off_t)length && fstat(fd, &status) == 0 && status.st_size == end)
        (void)!ftruncate(fd, end - (off_t)length);
}

/* One write, so that lines of runs that end at the same time do not mix. */
static int append_line(int fd, json_object *line)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(LINE_LIMIT);

    buffer_append_text(&text, json_text(line, PLAIN, NULL));
    buffer_append_char(&text, '\n');
    if (text.failed) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t written = write(fd, text.data, text.length);
    if (written == (ssize_t)text.length)
        return 0;
    if (written >= 0) {
        take_back(fd, (size_t)written);
        errno = ENOSPC;
    }
    return -1;
}

int run_index_append(const char *index_dir, json_object *line, struct osiris_error *error)
{
    _cleanup_free_ char *path = path_in(index_dir, "runs.jsonl");

    if (make_directories(index_dir, 0755, error) < 0)
        return -1;
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0 || append_line(fd, line) < 0)
        return osiris_error_set_errno(error, errno, "cannot write \"%s\"", path);
    return 0;
}

static int write_json(const char *path, json_object *object, int flags, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(STATUS_LIMIT);

    buffer_append_text(&text, json_text(object, flags, NULL));
    buffer_append_char(&text, '\n');
    if (text.failed)
        return osiris_error_set_errno(error, ENOMEM, "cannot write \"%s\"", path);
    return atomic_file_write(path, text.data, text.length, 0644, error);
}

int run_index_add_running(const char *index_dir, const char *run_id, json_object *line,
                          struct osiris_error *error)
{
    _cleanup_free_ char *folder = path_in(index_dir, "running");
    _cleanup_free_ char *path = path_in(folder, run_id);

    return make_directories(folder, 0755, error) < 0 ? -1 : write_json(path, line, PLAIN, error);
}

void run_index_remove_running(const char *index_dir, const char *run_id)
{
    _cleanup_free_ char *folder = path_in(index_dir, "running");
    _cleanup_free_ char *path = path_in(folder, run_id);

    (void)unlink(path);
}

void run_index_lock(int fd)
{
    (void)flock(fd, LOCK_EX | LOCK_NB);
}

/* Runs that were interrupted. */

struct interrupted {
    const char *run_id, *run_dir; /* borrowed from its line */
    json_object *line;
    bool is_ours; /* it is in the project's run_logs: records elsewhere (--out) are read, but not changed */
    int events; /* its events.jsonl, locked */
    struct timespec ended; /* when it last wrote there */
};

/* Entries are not trusted, because a cloned project may contain some. */
static bool lies_in_run_logs(const char *base_dir, const char *run_dir)
{
    _cleanup_free_ char *run_logs = path_in(base_dir, "run_logs/");
    const char *prefix = strcmp(base_dir, ".") != 0 ? run_logs : run_logs + strlen("./");

    if (strncmp(run_dir, prefix, strlen(prefix)) != 0)
        return false;
    _cleanup_close_ int folder = open_beneath(base_dir, run_dir + strlen(prefix) - strlen("run_logs/"));
    return folder >= 0;
}

/* Anything but a regular file is not even opened, because a device may act on it. */
static int open_regular(const char *path, int flags)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Takes the run's lock. -1: the run is still running, or this is unknown. */
static int lock_events(struct interrupted *run)
{
    _cleanup_free_ char *path = path_in(run->run_dir, "events.jsonl");
    _cleanup_close_ int fd = open_regular(path, run->is_ours ? O_RDWR | O_APPEND : O_RDONLY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    run->ended = status.st_mtim;
    run->events = steal_fd(&fd);
    return 0;
}

/* A truncated last line is ignored. */
static void append_event(const struct interrupted *run, json_object *error)
{
    _cleanup_json_ json_object *event = json_object_new_object();
    char now[CLOCK_TIMESTAMP_SIZE];

    cut_to_whole_lines(run->events);
    clock_timestamp(now);
    json_add_string(event, "ts", now);
    json_add_string(event, "session", run->run_id);
    json_add_string(event, "event", "run_error");
    json_add_string(event, "phase", "execution");
    json_add_string(event, "error", json_member_string(error, "message", NULL));
    json_add(event, "detail", json_object_get(error));
    (void)append_line(run->events, event);
}

static json_object *interruption(json_object *status)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_CANCELLED,
                     "interrupted: osiris (process %lld) ended unexpectedly",
                     (long long)json_member_integer(status, "pid", 0));
    return osiris_error_to_json(&error);
}

static json_object *read_status(const char *path)
{
    struct stat link;
    size_t length;
    _cleanup_free_ char *text = lstat(path, &link) < 0 || !S_ISREG(link.st_mode)
                                    ? NULL
                                    : read_whole_file(path, STATUS_LIMIT, &length, NULL);
    json_object *status = text == NULL ? NULL : json_parse(text, NULL);

    return status == NULL ? json_object_new_object() : status;
}

/* A cloned project may contain anything with this name: a pipe, a link to a device, an endless file. */
static FILE *open_index(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > INDEX_LIMIT)
        return NULL;
    FILE *file = fdopen(fd, "r");
    if (file != NULL)
        (void)steal_fd(&fd);
    return file;
}

/* The index line of a run that has ended, or NULL. */
static json_object *find_line(const char *index_dir, const char *run_id)
{
    _cleanup_free_ char *path = path_in(index_dir, "runs.jsonl");
    _cleanup_file_ FILE *file = open_index(path);
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    while (file != NULL && getline(&text, &size, file) > 0) {
        json_object *line = strstr(text, run_id) == NULL ? NULL : json_parse(text, NULL);
        if (strcmp(json_member_string(line, "run_id", ""), run_id) == 0)
            return line;
        json_object_put(line);
    }
    return NULL;
}

static void copy_member(json_object *from, const char *key, json_object *to)
{
    json_object *value = json_member(from, key);

    if (value != NULL)
        json_add(to, key, json_object_get(value));
}

/* Completes a run that ended normally, but with a full disk: its end is missing in the index or in its status. */
static bool complete_status(const struct interrupted *run, const char *status_path, json_object *status,
                            json_object *line)
{
    char ended[CLOCK_TIMESTAMP_SIZE];

    if (!run->is_ours)
        return true;
    clock_timestamp_of(&run->ended, ended);
    copy_member(line, "status", status);
    copy_member(line, "duration_ms", status);
    json_add_string(status, "ended_at", ended);
    json_object_object_del(status, "pid");
    return write_json(status_path, status, PRETTY, NULL) == 0;
}

static bool complete_index(const struct interrupted *run, const char *index_dir, json_object *status)
{
    json_object *duration = json_member(status, "duration_ms");

    copy_member(status, "status", run->line);
    json_add_integer(run->line, "duration_ms", json_object_get_int64(duration));
    json_object_object_del(run->line, "started_ms");
    return run_index_append(index_dir, run->line, NULL) == 0;
}

/* Whether everything was written. */
static bool end_run(const struct interrupted *run, const char *status_path, json_object *status,
                    const char *index_dir)
{
    char ended[CLOCK_TIMESTAMP_SIZE];
    int64_t duration_ms = clock_ms_of(&run->ended) - json_member_integer(run->line, "started_ms", 0);
    json_object *error = interruption(status);

    if (duration_ms < 0)
        duration_ms = 0;
    clock_timestamp_of(&run->ended, ended);
    json_add_string(status, "status", "aborted");
    json_add_string(status, "ended_at", ended);
    json_add_integer(status, "duration_ms", duration_ms);
    json_add(status, "error", error);
    json_add_string(run->line, "status", "aborted");
    json_add_integer(run->line, "duration_ms", duration_ms);
    json_object_object_del(run->line, "started_ms");
    if (run_index_append(index_dir, run->line, NULL) < 0)
        return false;
    if (!run->is_ours)
        return true;
    append_event(run, error);
    return write_json(status_path, status, PRETTY, NULL) == 0;
}

/* Whether the entry is no longer needed. Adds the line of an interrupted run to `lines`. */
static bool is_settled(const struct interrupted *run, const char *index_dir, json_object *lines)
{
    _cleanup_free_ char *path = path_in(run->run_dir, "status.json");
    _cleanup_json_ json_object *status = read_status(path);
    bool has_status = strcmp(json_member_string(status, "status", "running"), "running") != 0;
    _cleanup_json_ json_object *line = find_line(index_dir, run->run_id);
    if (has_status)
        return line != NULL || complete_index(run, index_dir, status);
    if (line != NULL)
        return complete_status(run, path, status, line);
    if (!end_run(run, path, status, index_dir))
        return false;
    if (run->is_ours)
        json_append(lines, json_object_get(run->line));
    return true;
}

static int open_folder_in(int folder, const char *name)
{
    return openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Temporary files that the run's osiris was writing when it was killed: next to its records and its steps' configs. */
static void remove_unfinished_records(const struct interrupted *run)
{
    _cleanup_close_ int records = open_folder_in(AT_FDCWD, run->run_dir);
    int artifacts = records < 0 ? -1 : open_folder_in(records, "artifacts");
    _cleanup_dir_ DIR *folder = artifacts < 0 ? NULL : fdopendir(artifacts);
    _cleanup_free_ char *reserved = memory_format("status.json.%s", run->run_id);

    if (records < 0)
        return;
    (void)unlinkat(records, "status.json.tmp", 0);
    (void)unlinkat(records, reserved, 0);
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL; entry = readdir(folder)) {
        _cleanup_close_ int step = entry->d_name[0] == '.' ? -1 : open_folder_in(dirfd(folder), entry->d_name);
        if (step >= 0)
            (void)unlinkat(step, "cleaned_config.json.tmp", 0);
    }
}

/* Removes what the run's workers have left in the project. False: a worker is still running; it removes its own files,
 * and the next osiris checks again. */
static bool clear_temporary(const char *base_dir, const char *run_id)
{
    _cleanup_free_ char *inner = memory_format(RUN_INDEX_TEMPORARY "/%s", run_id), *path = path_in(base_dir, inner);
    _cleanup_close_ int folder = open_beneath(base_dir, inner);

    return folder < 0 || litter_remove_dead(path, run_id);
}

/* The same, and removes what was left next to the run's records. With --out nothing is removed there, because the entry
 * is not trusted and may name any folder. */
static bool clear_litter(const struct interrupted *run, const char *base_dir)
{
    bool is_clear = clear_temporary(base_dir, run->run_id);

    if (!run->is_ours)
        return is_clear;
    remove_unfinished_records(run);
    _cleanup_free_ char *path = memory_format("%s/tmp-%s", run->run_dir, run->run_id);
    return litter_remove_dead(path, run->run_id) && is_clear;
}

static void end_interrupted(const char *base_dir, const char *index_dir, const char *folder, const char *name,
                    const struct run_index_own *own, json_object *lines)
{
    _cleanup_free_ char *path = path_in(folder, name);
    size_t length;
    _cleanup_free_ char *text = read_whole_file(path, LINE_LIMIT, &length, NULL);
    _cleanup_json_ json_object *line = text == NULL ? NULL : json_parse(text, NULL);
    struct interrupted run = {
        .run_id = name,
        .run_dir = json_member_string(line, "run_logs_path", NULL),
        .line = line,
        .events = -1,
    };

    if (run.run_dir == NULL)
        return;
    if (own != NULL && strcmp(own->run_id, name) == 0)
        run.run_dir = own->run_dir;
    run.is_ours = (own != NULL && run.run_dir == own->run_dir) || lies_in_run_logs(base_dir, run.run_dir);
    if (lock_events(&run) < 0) {
        /* Somebody has removed its records, so there is nothing to complete. */
        if (errno == ENOENT && clear_temporary(base_dir, name))
            (void)unlink(path);
        return;
    }
    /* Another osiris may have completed it since the entry was read. */
    if (access(path, F_OK) == 0 && is_settled(&run, index_dir, lines) && clear_litter(&run, base_dir))
        (void)unlink(path);
    (void)close(run.events);
}

/* An entry whose osiris was killed while writing it: a writer holds its lock. */
static void remove_unfinished(DIR *dir, const char *name)
{
    const char *end = strrchr(name, '.');
    _cleanup_close_ int fd =
        strcmp(end, ".tmp") == 0 ? openat(dirfd(dir), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(dirfd(dir), name, 0);
}

json_object *run_index_end_interrupted(const char *base_dir, const struct run_index_own *own)
{
    _cleanup_free_ char *index_dir = path_in(base_dir, ".osiris/index");
    _cleanup_free_ char *folder = path_in(index_dir, "running");
    int fd = open_beneath(base_dir, ".osiris/index/running");
    _cleanup_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    json_object *lines = json_object_new_array();
    const struct dirent *entry;
    int seen = 0;

    while (dir != NULL && seen < RUN_INDEX_EXAMINED && (entry = readdir(dir)) != NULL) {
        /* The temporary names of entries. */
        if (strchr(entry->d_name, '.') != NULL) {
            remove_unfinished(dir, entry->d_name);
            continue;
        }
        if (!clock_is_ulid(entry->d_name))
            continue;
        end_interrupted(base_dir, index_dir, folder, entry->d_name, own, lines);
        seen++;
    }
    return lines;
}
