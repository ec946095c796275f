/* A run's directory and its records; see rundir.h. */
#include "orchestrator/records/rundir.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/utf8.h"
#include "orchestrator/records/beneath.h"
#include "orchestrator/records/run-index.h"

/* Lines are kept in memory up to this many bytes, or until rundir_flush. */
#define RECORD_BUFFER (64u << 10)
#define RECORD_LIMIT (32u << 20)
/* Reserved for the last status.json: more than it needs for a hundred steps. */
#define STATUS_ROOM (64u << 10)

enum record { EVENTS, METRICS, OSIRIS_LOG, DEBUG_LOG, RECORD_COUNT };

static const char *const record_names[RECORD_COUNT] = {"events.jsonl", "metrics.jsonl",
                                                       "osiris.log", "debug.log"};

struct rundir {
    char *path;
    char *artifacts;
    char *temporary;
    char *index_dir;
    char *run_id;
    struct redactor *redactor; /* borrowed */
    bool is_named; /* the user has chosen the directory */
    int fds[RECORD_COUNT];
    struct buffer pending[RECORD_COUNT];
    int status_room; /* reserved space for the last status.json, or -1 */
    struct osiris_error failure; /* the first */
};

static char *run_directory_name(const struct rundir_options *options)
{
    char stamp[32];
    struct tm parts;
    time_t now = time(NULL);

    if (options->run_dir != NULL)
        return strdup(options->run_dir);
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H-%M-%SZ", &parts);
    return memory_format("%s%srun_logs/%s%s%s/%s_%s-%s",
                         strcmp(options->base_dir, ".") == 0 ? "" : options->base_dir,
                         strcmp(options->base_dir, ".") == 0 ? "" : "/",
                         options->profile == NULL ? "" : options->profile,
                         options->profile == NULL ? "" : "/", options->slug, stamp, options->run_id,
                         options->manifest_short);
}

static char *path_in(const struct rundir *rundir, const char *name)
{
    return memory_format("%s/%s", rundir->path, name);
}

static int refuse(const struct rundir *rundir, struct osiris_error *error)
{
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" already contains the records of another run",
                     rundir->path);
    return osiris_error_hint(error, "use another folder, or move its content away");
}

/* Called before anything is created, so that a refused folder is not changed. */
static int refuse_records(const struct rundir *rundir, struct osiris_error *error)
{
    for (int i = 0; i <= RECORD_COUNT; i++) {
        _cleanup_free_ char *path = path_in(rundir, i < RECORD_COUNT ? record_names[i] : "status.json");
        struct stat status;
        if (lstat(path, &status) == 0)
            return refuse(rundir, error);
    }
    return 0;
}

/* O_EXCL decides between two runs that start at the same time. */
static int open_record(struct rundir *rundir, enum record record, struct osiris_error *error)
{
    _cleanup_free_ char *path = path_in(rundir, record_names[record]);

    rundir->fds[record] = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (rundir->fds[record] >= 0)
        return 0;
    return errno == EEXIST ? refuse(rundir, error)
                           : osiris_error_set_errno(error, errno, "cannot write \"%s\"", path);
}

static void remove_records(const struct rundir *rundir)
{
    for (int i = 0; i < RECORD_COUNT; i++) {
        if (rundir->fds[i] < 0)
            continue;
        _cleanup_free_ char *path = path_in(rundir, record_names[i]);
        (void)unlink(path);
    }
}

static int open_records(struct rundir *rundir, struct osiris_error *error)
{
    for (int i = 0; i < RECORD_COUNT; i++)
        if (open_record(rundir, (enum record)i, error) < 0) {
            remove_records(rundir);
            return -1;
        }
    run_index_lock(rundir->fds[EVENTS]);
    return 0;
}

static char *choose_temporary(const struct rundir *rundir, const char *base_dir)
{
    _cleanup_close_ int folder = make_beneath(base_dir, RUN_INDEX_TEMPORARY, 0755);

    if (folder >= 0 && faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return memory_format("%s/" RUN_INDEX_TEMPORARY "/%s", base_dir, rundir->run_id);
    return memory_format("%s/tmp-%s", rundir->path, rundir->run_id);
}

struct rundir *rundir_open(const struct rundir_options *options, struct osiris_error *error)
{
    struct rundir *rundir = calloc(1, sizeof *rundir);

    rundir->status_room = -1;
    for (int i = 0; i < RECORD_COUNT; i++) {
        rundir->fds[i] = -1;
        buffer_init(&rundir->pending[i], RECORD_LIMIT);
    }
    rundir->redactor = options->redactor;
    rundir->is_named = options->run_dir != NULL;
    rundir->path = run_directory_name(options);
    rundir->run_id = strdup(options->run_id);
    rundir->artifacts = path_in(rundir, "artifacts");
    rundir->index_dir = memory_format("%s/.osiris/index", options->base_dir);
    if (refuse_records(rundir, error) == 0 && make_directories(rundir->artifacts, 0755, error) == 0 &&
        open_records(rundir, error) == 0) {
        rundir->temporary = choose_temporary(rundir, options->base_dir);
        return rundir;
    }
    rundir_free(rundir);
    return NULL;
}

void rundir_free(struct rundir *rundir)
{
    if (rundir == NULL)
        return;
    rundir_flush(rundir);
    for (int i = 0; i < RECORD_COUNT; i++) {
        cleanup_close_value(&rundir->fds[i]);
        buffer_clear(&rundir->pending[i]);
    }
    cleanup_close_value(&rundir->status_room);
    osiris_error_clear(&rundir->failure);
    free(rundir->path);
    free(rundir->artifacts);
    free(rundir->temporary);
    free(rundir->index_dir);
    free(rundir->run_id);
    free(rundir);
}

const char *rundir_path(const struct rundir *rundir)
{
    return rundir->path;
}

const char *rundir_artifacts_path(const struct rundir *rundir)
{
    return rundir->artifacts;
}

const char *rundir_temp_path(const struct rundir *rundir)
{
    return rundir->temporary;
}

char *rundir_shown(const struct rundir *rundir, const char *path)
{
    return rundir->is_named ? redactor_text(rundir->redactor, path, strlen(path)) : strdup(path);
}

static void flush_record(struct rundir *rundir, enum record record)
{
    struct buffer *pending = &rundir->pending[record];
    bool lost = pending->failed;

    if (pending->length > 0 && rundir->fds[record] >= 0 &&
        append_lines(rundir->fds[record], pending->data, pending->length) < 0 &&
        rundir->failure.category == 0)
        osiris_error_set_errno(&rundir->failure, errno, "cannot write \"%s/%s\"", rundir->path,
                               record_names[record]);
    if (lost && rundir->failure.category == 0)
        osiris_error_set_errno(&rundir->failure, ENOMEM, "cannot buffer \"%s/%s\"", rundir->path,
                               record_names[record]);
    buffer_reset(pending);
}

void rundir_flush(struct rundir *rundir)
{
    for (int i = 0; i < RECORD_COUNT; i++)
        flush_record(rundir, (enum record)i);
}

/* A line remains one line, and nothing in it moves a terminal's cursor. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            *text = ' ';
}

static void flush_if_full(struct rundir *rundir, enum record record)
{
    if (rundir->pending[record].length > RECORD_BUFFER || rundir->pending[record].failed)
        flush_record(rundir, record);
}

/* Takes `line`. */
static void append_json(struct rundir *rundir, enum record record, json_object *line)
{
    _cleanup_json_ json_object *clean = redactor_record(rundir->redactor, line);
    const char *text = json_text(clean, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);

    utf8_append(&rundir->pending[record], text, strlen(text));
    buffer_append_char(&rundir->pending[record], '\n');
    flush_if_full(rundir, record);
    json_object_put(line);
}

/* "2026-11-24 09:13:05,123 - extract-orders - [01K…] - INFO - ", like Python's logging. */
static void begin_log_line(struct rundir *rundir, enum record record, int level, const char *source)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR"};
    char now[CLOCK_TIMESTAMP_SIZE];

    clock_timestamp(now);
    buffer_append_format(&rundir->pending[record], "%.10s %.8s,%.3s - %s - [%s] - %s - ", now, now + 11,
                         now + 20, source == NULL ? "osiris" : source, rundir->run_id, names[level]);
}

/* debug.log contains events and log lines, so that it alone shows the order of everything. */
static void log_event(struct rundir *rundir, const char *event, json_object *fields)
{
    _cleanup_json_ json_object *clean = redactor_record(rundir->redactor, fields);
    const char *text =
        clean == NULL ? "" : json_text(clean, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);

    begin_log_line(rundir, DEBUG_LOG, OSIRIS_DEBUG, NULL);
    buffer_append_format(&rundir->pending[DEBUG_LOG], "event: %s ", event);
    utf8_append(&rundir->pending[DEBUG_LOG], text, strlen(text));
    buffer_append_char(&rundir->pending[DEBUG_LOG], '\n');
    flush_if_full(rundir, DEBUG_LOG);
}

static json_object *begin_line(const struct rundir *rundir, json_object *fields)
{
    char now[CLOCK_TIMESTAMP_SIZE];
    json_object *line = json_object_new_object();
    json_object *given = NULL;

    clock_timestamp(now);
    if (fields != NULL)
        json_object_object_get_ex(fields, "ts", &given);
    json_add(line, "ts",
             given == NULL ? json_string(now) : json_object_get(given));
    json_add_string(line, "session", rundir->run_id);
    return line;
}

void rundir_event(struct rundir *rundir, const char *event, json_object *fields)
{
    json_object *line = begin_line(rundir, fields);

    log_event(rundir, event, fields);
    json_add_string(line, "event", event);
    if (fields != NULL) {
        json_object_object_foreach(fields, key, value)
        {
            if (strcmp(key, "ts") != 0 && strcmp(key, "session") != 0 && strcmp(key, "event") != 0)
                json_add(line, key, json_object_get(value));
        }
        json_object_put(fields);
    }
    append_json(rundir, EVENTS, line);
}

void rundir_metric(struct rundir *rundir, const char *metric, double value, const char *unit,
                   json_object *tags)
{
    json_object *line = begin_line(rundir, NULL);

    json_add_string(line, "metric", metric);
    /* Counts are printed as integers. */
    if (value == (double)(int64_t)value && value > -9e15 && value < 9e15)
        json_add_integer(line, "value", (int64_t)value);
    else
        json_add_number(line, "value", value);
    json_add_string(line, "unit", unit);
    if (tags != NULL)
        json_add(line, "tags", tags);
    append_json(rundir, METRICS, line);
}

void rundir_log(struct rundir *rundir, int level, const char *source, const char *message)
{
    _cleanup_free_ char *clean = redactor_record_text(rundir->redactor, message);

    if (level < OSIRIS_DEBUG || level > OSIRIS_ERROR)
        level = OSIRIS_INFO;
    if (clean != NULL)
        flatten(clean);
    for (enum record record = OSIRIS_LOG; record <= DEBUG_LOG; record++) {
        if (record == OSIRIS_LOG && level == OSIRIS_DEBUG)
            continue;
        begin_log_line(rundir, record, level, source);
        buffer_append_format(&rundir->pending[record], "%s\n", clean == NULL ? "" : clean);
        if (level == OSIRIS_ERROR)
            flush_record(rundir, record);
        else
            flush_if_full(rundir, record);
    }
}

void rundir_note(struct rundir *rundir, const char *source, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (text != NULL)
        rundir_log(rundir, OSIRIS_INFO, source, text);
    free(text);
}

/* The first failure of the run's records is reported at the end. Takes `error`. */
static void note_failure(struct rundir *rundir, struct osiris_error *error)
{
    if (rundir->failure.category == 0)
        osiris_error_move(&rundir->failure, error);
    osiris_error_clear(error);
}

static int append_index(struct rundir *rundir, json_object *index_line)
{
    _cleanup_json_ json_object *clean = redactor_record(rundir->redactor, index_line);
    struct osiris_error error = OSIRIS_ERROR_INIT;
    int result = run_index_append(rundir->index_dir, clean, &error);

    note_failure(rundir, &error);
    return result;
}

/* The last status has reserved space, even on a full disk. */
static int replace_status(struct rundir *rundir, const char *path, const struct buffer *text,
                          struct osiris_error *error)
{
    _cleanup_close_ int room = steal_fd(&rundir->status_room);
    _cleanup_free_ char *temporary = memory_format("%s.%s", path, rundir->run_id);

    if (room >= 0 && atomic_file_write_reserved(room, temporary, path, text->data, text->length) == 0)
        return 0;
    return atomic_file_write(path, text->data, text->length, 0644, error);
}

static void print_status(json_object *status, struct buffer *text)
{
    buffer_append_text(text, json_text(status, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE, NULL));
    buffer_append_char(text, '\n');
}

/* If the disk was full from the start, only the space of the first status is available, and the results of the steps
 * may not fit. */
static int overwrite_status(const char *path, json_object *status)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(16 << 20);
    struct stat there;

    if (fd < 0 || fstat(fd, &there) < 0 || !S_ISREG(there.st_mode))
        return -1;
    json_object_object_del(status, "steps");
    print_status(status, &text);
    if (text.failed || (uintmax_t)text.length > (uintmax_t)there.st_blocks * 512 ||
        pwrite(fd, text.data, text.length, 0) != (ssize_t)text.length)
        return -1;
    return ftruncate(fd, (off_t)text.length);
}

static int write_status(struct rundir *rundir, json_object *status)
{
    _cleanup_json_ json_object *clean = redactor_record(rundir->redactor, status);
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(16 << 20);
    _cleanup_free_ char *path = path_in(rundir, "status.json");
    struct osiris_error error = OSIRIS_ERROR_INIT;

    print_status(clean, &text);
    int result = text.failed ? osiris_error_set_errno(&error, ENOMEM, "cannot write the run's status")
                             : replace_status(rundir, path, &text, &error);
    if (result < 0 && (error.native_code == ENOSPC || error.native_code == EDQUOT))
        result = overwrite_status(path, clean);
    note_failure(rundir, &error);
    return result;
}

void rundir_begin(struct rundir *rundir, json_object *status, json_object *index_line)
{
    _cleanup_json_ json_object *owned_status = status;
    _cleanup_json_ json_object *owned_line = index_line;
    _cleanup_json_ json_object *clean = redactor_record(rundir->redactor, owned_line);
    struct osiris_error error = OSIRIS_ERROR_INIT;

    /* In this order, so that the lock is already held when another process finds the entry. */
    (void)run_index_add_running(rundir->index_dir, rundir->run_id, clean, &error);
    note_failure(rundir, &error);
    (void)write_status(rundir, owned_status);
    rundir->status_room = atomic_file_reserve(rundir->path, STATUS_ROOM, 0644);
}

int rundir_finish(struct rundir *rundir, json_object *status, json_object *index_line,
                  struct osiris_error *error)
{
    _cleanup_json_ json_object *owned_status = status;
    _cleanup_json_ json_object *owned_line = index_line;

    rundir_flush(rundir);
    bool recorded = write_status(rundir, owned_status) == 0;
    if (owned_line != NULL) {
        recorded = append_index(rundir, owned_line) == 0 && recorded;
        /* What is missing in one of them is completed by the next run (run_index_end_interrupted). */
        if (recorded)
            run_index_remove_running(rundir->index_dir, rundir->run_id);
    }
    if (rundir->failure.category == 0)
        return 0;
    osiris_error_move(error, &rundir->failure);
    return -1;
}
