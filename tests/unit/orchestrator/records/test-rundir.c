/* A run's directory: layout, formats, redaction, a disk that is full (orchestrator/records/rundir.h). */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "orchestrator/records/rundir.h"

static char base[64];
static struct redactor *redactor;

static struct rundir *open_in(const char *run_dir, struct osiris_error *error)
{
    strcpy(base, "/tmp/osr.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    redactor = redactor_new();
    ck_assert_int_eq(redactor_add(redactor, "hunter 22"), 0);
    const struct rundir_options options = {
        .base_dir = base,
        .run_dir = run_dir,
        .slug = "orders",
        .profile = "prod",
        .run_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        .manifest_short = "abcdef1",
        .redactor = redactor,
    };
    return rundir_open(&options, error);
}

static void remove_all(struct rundir *rundir)
{
    char command[128];

    rundir_free(rundir);
    redactor_free(redactor);
    snprintf(command, sizeof command, "rm -rf %s", base);
    ck_assert_int_eq(system(command), 0);
}

static char *read_text(const char *folder, const char *name)
{
    char path[512];
    char *text = calloc(1, 1 << 16);

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "no file %s", path);
    ck_assert_uint_lt(fread(text, 1, (1 << 16) - 1, file), (1 << 16) - 1);
    (void)fclose(file);
    return text;
}

static void expect_in(const char *folder, const char *name, const char *part)
{
    char *text = read_text(folder, name);

    ck_assert_msg(strstr(text, part) != NULL, "no %s in %s: %s", part, name, text);
    ck_assert_ptr_null(strstr(text, "hunter 22"));
    free(text);
}

START_TEST(test_layout)
{
    struct rundir *rundir = open_in(NULL, NULL);
    char expected[256];
    struct stat status;

    ck_assert_ptr_nonnull(rundir);
    snprintf(expected, sizeof expected, "%s/run_logs/prod/orders/2", base);
    ck_assert_int_eq(strncmp(rundir_path(rundir), expected, strlen(expected)), 0);
    const char *end = strstr(rundir_path(rundir), "Z_01ARZ3NDEKTSV4RRFFQ69G5FAV-abcdef1");
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(stat(rundir_artifacts_path(rundir), &status), 0);
    ck_assert(S_ISDIR(status.st_mode));
    remove_all(rundir);
}
END_TEST

START_TEST(test_temporary_folders_lie_in_the_project)
{
    char records[64], command[128], expected[256];

    strcpy(records, "/tmp/osr-out.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(records));
    struct rundir *rundir = open_in(records, NULL);
    snprintf(command, sizeof command, "rm -rf %s", records);
    ck_assert_int_eq(system(command), 0);
    snprintf(expected, sizeof expected, "%s/.osiris/tmp/01ARZ3NDEKTSV4RRFFQ69G5FAV", base);
    ck_assert_str_eq(rundir_temp_path(rundir), expected);
    remove_all(rundir);
}
END_TEST

START_TEST(test_records_are_redacted_lines)
{
    struct rundir *rundir = open_in(NULL, NULL);
    json_object *fields =
        json_tokener_parse("{\"ts\": \"then\", \"text\": \"x hunter 22\", \"password\": \"p\"}");
    json_object *status = json_tokener_parse("{\"status\": \"failed\", \"error\": \"hunter 22\"}");
    json_object *line = json_tokener_parse("{\"run_id\": \"r\", \"tags\": [\"hunter 22\"]}");

    rundir_event(rundir, "run_start", fields);
    rundir_event(rundir, "bare", NULL);
    rundir_metric(rundir, "rows_read", 12, "rows", json_tokener_parse("{\"step\": \"a\"}"));
    rundir_metric(rundir, "total_duration", 0.1, NULL, NULL);
    rundir_log(rundir, OSIRIS_DEBUG, "worker", "quiet hunter 22");
    rundir_log(rundir, OSIRIS_INFO, NULL, "loud hunter 22");
    ck_assert_int_eq(rundir_finish(rundir, status, line, NULL), 0);
    expect_in(rundir_path(rundir), "events.jsonl",
              "{\"ts\":\"then\",\"session\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"event\":\"run_start\","
              "\"text\":\"x ***MASKED***\",\"password\":\"***MASKED***\"}\n");
    expect_in(rundir_path(rundir), "events.jsonl", "\"event\":\"bare\"}\n");
    expect_in(rundir_path(rundir), "metrics.jsonl",
              "\"metric\":\"rows_read\",\"value\":12,\"unit\":\"rows\",\"tags\":{\"step\":\"a\"}}\n");
    expect_in(rundir_path(rundir), "metrics.jsonl", "\"value\":0.1}\n");
    expect_in(rundir_path(rundir), "debug.log", " - worker - [01ARZ3NDEKTSV4RRFFQ69G5FAV] - DEBUG - quiet ***MASKED***\n");
    expect_in(rundir_path(rundir), "osiris.log", " - osiris - [01ARZ3NDEKTSV4RRFFQ69G5FAV] - INFO - loud ***MASKED***\n");
    expect_in(rundir_path(rundir), "debug.log",
              " - DEBUG - event: run_start {\"ts\":\"then\",\"text\":\"x ***MASKED***\"");
    expect_in(rundir_path(rundir), "status.json", "***MASKED***");
    expect_in(base, ".osiris/index/runs.jsonl",
              "{\"run_id\":\"r\",\"tags\":[\"***MASKED***\"]}\n");
    char *log = read_text(rundir_path(rundir), "osiris.log");
    ck_assert_ptr_null(strstr(log, "quiet"));
    free(log);
    remove_all(rundir);
}
END_TEST

START_TEST(test_any_bytes_make_one_valid_line)
{
    struct rundir *rundir = open_in(NULL, NULL);
    json_object *fields = json_object_new_object();

    json_object_object_add(fields, "text", json_object_new_string("a\xff\xc3\xa9\xc3 \nb"));
    rundir_event(rundir, "odd", fields);
    rundir_log(rundir, OSIRIS_ERROR, NULL, "one\ntwo\x1b[2J");
    rundir_flush(rundir);
    expect_in(rundir_path(rundir), "events.jsonl", "\"text\":\"a?\xc3\xa9? \\nb\"}\n");
    expect_in(rundir_path(rundir), "osiris.log", "ERROR - one two [2J\n");
    remove_all(rundir);
}
END_TEST

START_TEST(test_errors_are_written_at_once)
{
    struct rundir *rundir = open_in(NULL, NULL);

    rundir_log(rundir, OSIRIS_ERROR, "a", "it broke");
    expect_in(rundir_path(rundir), "osiris.log", " - a - [01ARZ3NDEKTSV4RRFFQ69G5FAV] - ERROR - it broke\n");
    expect_in(rundir_path(rundir), "debug.log", " - a - [01ARZ3NDEKTSV4RRFFQ69G5FAV] - ERROR - it broke\n");
    remove_all(rundir);
}
END_TEST

START_TEST(test_unusable_folder)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_ptr_null(open_in("/dev/null/run", &error));
    ck_assert_ptr_nonnull(strstr(error.message, "/dev/null"));
    osiris_error_clear(&error);
    remove_all(NULL);
}
END_TEST

/* A limit of the process stands for a full disk: "File too large". */
START_TEST(test_full_disk_is_remembered)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct rundir *rundir = open_in(NULL, NULL);
    struct rlimit saved;

    ck_assert_ptr_nonnull(rundir);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = saved.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    rundir_event(rundir, "lost", NULL);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    rundir_flush(rundir);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &saved), 0);
    (void)signal(SIGXFSZ, handler);
    rundir_log(rundir, OSIRIS_ERROR, NULL, "kept");
    ck_assert_int_eq(rundir_finish(rundir, json_object_new_object(), NULL, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.message, "events.jsonl"));
    ck_assert_ptr_nonnull(strstr(error.message, "File too large"));
    osiris_error_clear(&error);
    expect_in(rundir_path(rundir), "osiris.log", "kept");
    remove_all(rundir);
}
END_TEST

static void limit_files(rlim_t bytes, const struct rlimit *saved)
{
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = saved->rlim_max};

    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static rlim_t size_of(const char *folder, const char *name)
{
    char path[256];
    struct stat status;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(stat(path, &status), 0);
    return (rlim_t)status.st_size;
}

/* What fits of a line is taken back; whole lines before it stay, and later ones follow. */
START_TEST(test_no_half_lines)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct rundir *rundir = open_in(NULL, NULL);
    struct rlimit saved;
    char command[256];

    ck_assert_ptr_nonnull(rundir);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    rundir_event(rundir, "first", NULL);
    rundir_flush(rundir);
    rlim_t line = size_of(rundir_path(rundir), "events.jsonl");
    rundir_event(rundir, "whole", NULL);
    rundir_event(rundir, "lost", NULL);
    limit_files(2 * line + 20, &saved);
    rundir_flush(rundir);
    limit_files(saved.rlim_cur, &saved);
    (void)signal(SIGXFSZ, handler);
    ck_assert_uint_eq(size_of(rundir_path(rundir), "events.jsonl"), 2 * line);
    rundir_event(rundir, "later", NULL);
    ck_assert_int_eq(rundir_finish(rundir, json_object_new_object(), NULL, &error), -1);
    osiris_error_clear(&error);
    expect_in(rundir_path(rundir), "events.jsonl", "\"later\"");
    snprintf(command, sizeof command, "! grep -qv '^{.*}$' %s/events.jsonl", rundir_path(rundir));
    ck_assert_int_eq(system(command), 0);
    remove_all(rundir);
}
END_TEST

/* Nothing is made in a folder that is refused, and what is there stays. */
START_TEST(test_records_of_another_run)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    char folder[64] = "/tmp/osf.XXXXXX";
    char path[128];
    struct stat status;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/osiris.log", folder);
    ck_assert_int_eq(symlink("/dev/null", path), 0);
    ck_assert_ptr_null(open_in(folder, &error));
    ck_assert_int_eq(error.category, OSIRIS_ERROR_CONFIG);
    ck_assert_ptr_nonnull(strstr(error.message, folder));
    osiris_error_clear(&error);
    snprintf(path, sizeof path, "%s/artifacts", folder);
    ck_assert_int_eq(stat(path, &status), -1);
    remove_all(NULL);
    snprintf(path, sizeof path, "rm -rf %s", folder);
    ck_assert_int_eq(system(path), 0);
}
END_TEST

UNIT_MAIN("rundir", test_layout, test_temporary_folders_lie_in_the_project, test_records_are_redacted_lines,
          test_any_bytes_make_one_valid_line, test_errors_are_written_at_once,
          test_unusable_folder, test_full_disk_is_remembered, test_no_half_lines, test_records_of_another_run)
