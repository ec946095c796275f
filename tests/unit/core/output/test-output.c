/* Output files that appear whole or not at all (core/output/output.h). */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/output/hidden.h"
#include "core/output/output.h"

static char folder[] = "/tmp/osiris-output.XXXXXX";

static void enter(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave(void)
{
    char command[64];

    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Files and folders here, "." and ".." aside. */
static int count(const char *path)
{
    DIR *dir = opendir(path);
    int found = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        found++;
    closedir(dir);
    return found - 2;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void expect_file(const char *path, const char *text)
{
    char got[100] = "";
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "%s is missing", path);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(got, text);
}

static struct output *open_output(const char *path, bool named, bool create)
{
    const struct output_options options = {
        .path = path, .run_id = "RUN", .named = named, .create_directories = create};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) == 0, "%s", error.message);
    return output;
}

static void refuse(const char *path, bool create, const char *part)
{
    const struct output_options options = {.path = path, .create_directories = create};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) < 0, "%s was opened", path);
    ck_assert_msg(strstr(error.message, part) != NULL, "expected \"%s\" in: %s", part,
                  error.message);
}

static void publish(struct output *output)
{
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_publish(output, NULL), 0);
    output_close(output);
}

/* Both ways: _i is 1 for hidden names, 0 for O_TMPFILE. */
START_TEST(test_nothing_is_there_before_publishing)
{
    enter();
    write_file("old.csv", "old\n");
    chmod("old.csv", 0604);
    struct output *output = open_output("old.csv", _i, false);
    ck_assert_int_eq(write(output_fd(output), "new\n", 4), 4);
    expect_file("old.csv", "old\n");
    ck_assert_int_eq(output_size(output), 4);
    publish(output);
    expect_file("old.csv", "new\n");
    struct stat status;
    ck_assert_int_eq(stat("old.csv", &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0604);
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_what_is_not_published_leaves_no_trace)
{
    enter();
    struct output *output = open_output("a/b/c/out.csv", _i, true);
    ck_assert_int_eq(write(output_fd(output), "new\n", 4), 4);
    ck_assert_int_eq(output_finish(output, NULL), 0);
    output_close(output);
    ck_assert_int_eq(count("."), 0);
    output = open_output("a/b/c/out.csv", _i, true);
    publish(output);
    expect_file("a/b/c/out.csv", "");
    leave();
}
END_TEST

static struct output *publish_text(const char *path, const char *text, bool named)
{
    struct output *output = open_output(path, named, true);

    ck_assert_int_eq(write(output_fd(output), text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_publish(output, NULL), 0);
    expect_file(path, text);
    return output;
}

START_TEST(test_what_was_published_is_taken_back)
{
    enter();
    write_file("old.csv", "old\n");
    struct stat before, after;
    ck_assert_int_eq(stat("old.csv", &before), 0);
    struct output *replaced = publish_text("old.csv", "new\n", _i);
    struct output *made = publish_text("a/b/made.csv", "made\n", _i);
    ck_assert_int_eq(output_retract(replaced, NULL), 0);
    ck_assert_int_eq(output_retract(made, NULL), 0);
    ck_assert(!output_is_published(made));
    ck_assert_int_eq(output_retract(made, NULL), 0);
    expect_file("old.csv", "old\n");
    ck_assert_int_eq(stat("old.csv", &after), 0);
    ck_assert_int_eq(before.st_ino, after.st_ino);
    output_close(made);
    output_close(replaced);
    expect_file("old.csv", "old\n");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

/* Of the same series, by another run. */
START_TEST(test_what_is_kept_is_not_stale)
{
    enter();
    write_file("out-1.csv", "old\n");
    struct output *replaced = publish_text("out-1.csv", "new\n", _i);
    output_close(open_output("out-2.csv", _i, false));
    output_close(open_output("out-1.csv", _i, false));
    ck_assert_int_eq(output_retract(replaced, NULL), 0);
    output_close(replaced);
    expect_file("out-1.csv", "old\n");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

/* Nobody would remove it if this process were killed. */
START_TEST(test_what_is_not_ours_gets_no_hidden_name)
{
    enter();
    write_file("out.csv", "theirs\n");
    bool theirs = chown("out.csv", 65534, 65534) == 0;
    struct output *output = open_output("out.csv", _i, false);
    /* Without privileges: a link that has come meanwhile is no regular file. */
    if (!theirs) {
        ck_assert_int_eq(unlink("out.csv"), 0);
        ck_assert_int_eq(symlink("nowhere", "out.csv"), 0);
    }
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_publish(output, NULL), 0);
    ck_assert_int_eq(count("."), 1);
    ck_assert_int_eq(output_retract(output, NULL), -1);
    output_close(output);
    leave();
}
END_TEST

START_TEST(test_what_somebody_else_has_replaced_is_left_alone)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    struct output *output = publish_text("out.csv", "ours\n", _i);
    write_file("theirs", "theirs\n");
    ck_assert_int_eq(rename("theirs", "out.csv"), 0);
    ck_assert_int_eq(output_retract(output, &error), -1);
    ck_assert_str_eq(error.message, "cannot take back \"out.csv\": somebody else has replaced it");
    output_close(output);
    expect_file("out.csv", "theirs\n");
    leave();
}
END_TEST

START_TEST(test_a_folder_is_not_replaced)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    struct output *output = open_output("out.csv", _i, false);
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(mkdir("out.csv", 0700), 0);
    ck_assert_int_eq(output_publish(output, &error), -1);
    ck_assert_str_eq(error.message, "cannot publish \"out.csv\": Is a directory");
    ck_assert_int_eq(output_retract(output, NULL), 0);
    output_close(output);
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_publishing_needs_finishing)
{
    enter();
    struct output *output = open_output("out.csv", _i, false);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    ck_assert_int_eq(output_publish(output, &error), -1);
    output_close(output);
    ck_assert_int_eq(count("."), 0);
    leave();
}
END_TEST

START_TEST(test_a_link_is_followed)
{
    enter();
    ck_assert_int_eq(mkdir("real", 0777), 0);
    ck_assert_int_eq(symlink("real/target.csv", "link.csv"), 0);
    publish(open_output("link.csv", _i, false));
    struct stat status;
    ck_assert_int_eq(lstat("link.csv", &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    expect_file("real/target.csv", "");
    leave();
}
END_TEST

static void count_calls(void *context, int directory)
{
    struct stat status;

    ck_assert(fstat(directory, &status) == 0 && S_ISDIR(status.st_mode));
    (*(int *)context)++;
}

/* Before a name is hidden: at once if the file cannot be unnamed, else when it is set aside, or published. */
START_TEST(test_who_is_told_where_names_are_hidden)
{
    int calls = 0, shelf = -1;
    const struct output_options options = {
        .path = "file", .named = _i, .hides_in = count_calls, .context = &calls};
    struct output *output;

    enter();
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    ck_assert_int_eq(calls, count(".") == 1); /* named, wished or not */
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_set_aside(output, &shelf, NULL), 0);
    ck_assert_int_eq(calls, 1);
    output_close(output);
    close(shelf);
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(calls, 2);
    leave();
}
END_TEST

START_TEST(test_what_a_dead_run_hid_is_removed)
{
    enter();
    write_file(".one.osiris-RUN-1-0.tmp", "");
    write_file(".two.osiris-RUN-22-3.tmp", "");
    write_file(".two.osiris-RUN2-22-3.tmp", "");
    write_file("two.osiris-RUN-22-3.tmp", "");
    write_file(".two.osiris-RUN-22-3.csv", "");
    write_file(".held.osiris-RUN-1-0.tmp", "");
    int held = open(".held.osiris-RUN-1-0.tmp", O_RDONLY);
    ck_assert_int_eq(flock(held, LOCK_EX), 0);
    hidden_remove_of_run(folder, "RUN");
    ck_assert_int_eq(count("."), 4);
    ck_assert_int_lt(access(".one.osiris-RUN-1-0.tmp", F_OK), 0);
    ck_assert_int_lt(access(".two.osiris-RUN-22-3.tmp", F_OK), 0);
    close(held);
    hidden_remove_of_run("nowhere", "RUN");
    leave();
}
END_TEST

START_TEST(test_stale_files_go_and_locked_ones_stay)
{
    enter();
    write_file(".out.csv.osiris-OLD-1-0.tmp", "half");
    write_file(".other.csv.osiris-OLD-1-0.tmp", "another target's");
    struct output *writing = open_output("out.csv", true, false);
    ck_assert_int_ne(access(".out.csv.osiris-OLD-1-0.tmp", F_OK), 0);
    ck_assert_int_eq(access(".other.csv.osiris-OLD-1-0.tmp", F_OK), 0);
    struct output *second = open_output("out.csv", _i, false);
    /* The first one's hidden file is locked and must be there still. */
    publish(writing);
    publish(second);
    ck_assert_int_eq(count("."), 2);
    leave();
}
END_TEST

/* Parts and dates: there may be fewer or others the next time. */
START_TEST(test_stale_files_of_a_series_go)
{
    static const char *const stale[] = {".p-2020-01-31.00001.csv.osiris-OLD-1-0.tmp",
                                        ".p-2020-02-01.123456.csv.osiris-OLD-1-7.tmp"};
    static const char *const others[] = {".p-2020-01.00001.csv.osiris-OLD-1-0.tmp",
                                         ".p-2020-01-31..csv.osiris-OLD-1-0.tmp",
                                         ".q-2020-01-31.00001.csv.osiris-OLD-1-0.tmp",
                                         ".p-2020-01-31.00001.csv.gz.osiris-OLD-1-0.tmp",
                                         ".p-2020-01-31.00001.csv.tmp", ".p-2020-01-31.00001.csv.osiris-.tmp",
                                         ".p-2020-01-31.00009.csv.osiris-OLD-1-0.tmp"};

    enter();
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        write_file(stale[i], "half");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        write_file(others[i], "another target's, or alive");
    int alive = open(others[6], O_RDONLY);
    ck_assert_int_eq(flock(alive, LOCK_EX), 0);
    output_close(open_output("p-2020-01-31.00001.csv", _i, false));
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        ck_assert_msg(access(stale[i], F_OK) < 0, "%s is there", stale[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(access(others[i], F_OK) == 0, "%s is gone", others[i]);
    close(alive);
    leave();
}
END_TEST

START_TEST(test_what_cannot_be_an_output)
{
    enter();
    ck_assert_int_eq(mkdir("folder", 0777), 0);
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    ck_assert_int_eq(symlink("loop", "loop"), 0);
    write_file("file", "");
    refuse("folder", false, "directory");
    refuse("pipe", false, "not a regular file");
    refuse("loop", false, "loop");
    refuse("missing/out.csv", false, "missing");
    refuse("file/out.csv", true, "file");
    refuse("", false, "empty");
    refuse("folder/", false, "directory");
    refuse("/proc/nowhere/out.csv", true, "/proc/nowhere");
    ck_assert_int_eq(count("."), 4);
    leave();
}
END_TEST

static int mode_of(const char *path)
{
    struct stat status;

    ck_assert_int_eq(stat(path, &status), 0);
    return (int)(status.st_mode & 07777);
}

START_TEST(test_permissions)
{
    const struct output_options private_file = {.path = "private", .mode = 0600, .named = _i};
    struct output *output = NULL;
    mode_t before;

    enter();
    before = umask(027);
    publish(open_output("new", _i, false));
    ck_assert_int_eq(mode_of("new"), 0640);
    ck_assert_int_eq(output_open(&private_file, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(mode_of("private"), 0600);
    /* A file of ours must not become a program that runs as us. */
    write_file("setuid", "");
    ck_assert_int_eq(chmod("setuid", 04755), 0);
    publish(open_output("setuid", _i, false));
    ck_assert_int_eq(mode_of("setuid"), 0755);
    umask(before);
    leave();
}
END_TEST

/* A mode that is asked for is exactly that, whatever the umask and whatever was there. */
START_TEST(test_an_asked_mode_is_exact)
{
    const struct output_options options = {.path = "file", .mode = 0664, .named = _i};
    struct output *output = NULL;
    mode_t before;

    enter();
    before = umask(077);
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(mode_of("file"), 0664);
    ck_assert_int_eq(chmod("file", 0600), 0);
    ck_assert_int_eq(output_open(&options, &output, NULL), 0);
    publish(output);
    ck_assert_int_eq(mode_of("file"), 0664);
    umask(before);
    leave();
}
END_TEST

static struct output *open_append(const char *path, bool named)
{
    const struct output_options options = {
        .path = path, .run_id = "RUN", .named = named, .append = true, .no_sync = true};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) == 0, "%s", error.message);
    return output;
}

static void publish_new(struct output *output)
{
    ck_assert_int_eq(write(output_fd(output), "new", 3), 3);
    publish(output);
}

START_TEST(test_appending_keeps_what_is_there)
{
    enter();
    struct output *output = open_append("file", _i);
    ck_assert_int_eq(output_initial_size(output), 0);
    publish_new(output);
    expect_file("file", "new");
    output = open_append("file", _i);
    ck_assert_int_eq(output_initial_size(output), 3);
    ck_assert_int_eq(output_size(output), 3);
    expect_file("file", "new");
    publish_new(output);
    expect_file("file", "newnew");
    /* Not published: as before. */
    output = open_append("file", _i);
    ck_assert_int_eq(write(output_fd(output), "gone", 4), 4);
    output_close(output);
    expect_file("file", "newnew");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

START_TEST(test_appending_copies_all_of_a_large_file)
{
    enum { LINES = 300000 };
    char line[16], expected[16];

    enter();
    FILE *file = fopen("file", "w");
    for (int i = 0; i < LINES; i++)
        fprintf(file, "%07d\n", i);
    ck_assert_int_eq(fclose(file), 0);
    struct output *output = open_append("file", _i);
    ck_assert_int_eq(output_initial_size(output), 8 * LINES);
    publish_new(output);
    file = fopen("file", "r");
    for (int i = 0; i < LINES; i++) {
        snprintf(expected, sizeof expected, "%07d\n", i);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        ck_assert_str_eq(line, expected);
    }
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    ck_assert_str_eq(line, "new");
    fclose(file);
    leave();
}
END_TEST

static void refuse_changed(int result, struct osiris_error *error)
{
    ck_assert_int_lt(result, 0);
    ck_assert_int_eq(error->category, OSIRIS_ERROR_IO);
    ck_assert_msg(strstr(error->message, "somebody else has changed it") != NULL, "%s", error->message);
    osiris_error_clear(error);
}

/* What another one wrote meanwhile would be lost without a word. */
START_TEST(test_appending_to_what_changes_is_refused)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    enter();
    write_file("file", "old");
    struct output *first = open_append("file", _i), *second = open_append("file", _i);
    struct output *third = open_append("new", _i);
    ck_assert_int_eq(output_finish(second, NULL), 0);
    ck_assert_int_eq(write(output_fd(first), "1", 1), 1);
    ck_assert_int_eq(output_finish(first, NULL), 0);
    ck_assert_int_eq(output_publish(first, NULL), 0);
    refuse_changed(output_publish(second, &error), &error);
    refuse_changed(output_finish(second, &error), &error);
    write_file("new", "of somebody else");
    refuse_changed(output_finish(third, &error), &error);
    output_close(first);
    output_close(second);
    output_close(third);
    expect_file("file", "old1");
    expect_file("new", "of somebody else");
    ck_assert_int_eq(count("."), 2);
    leave();
}
END_TEST

/* A name as long as file systems allow leaves no room for a hidden one beside it. */
START_TEST(test_long_names)
{
    char name[300];

    enter();
    memset(name, 'x', sizeof name);
    name[255] = '\0';
    struct output *left = open_output(name, true, false);
    struct output *output = open_output(name, _i, false);
    ck_assert_int_eq(write(output_fd(output), "all\n", 4), 4);
    publish(output);
    expect_file(name, "all\n");
    /* The other one's hidden file is locked; once it is not, it goes. */
    ck_assert_int_eq(count("."), 2);
    ck_assert_int_eq(flock(output_fd(left), LOCK_UN), 0);
    output_close(open_output(name, _i, false));
    ck_assert_int_eq(count("."), 1);
    output_close(left);
    leave();
}
END_TEST

START_TEST(test_too_long_names_are_refused_at_once)
{
    char path[320] = "new/";

    enter();
    memset(path + 4, 'x', 256);
    refuse(path + 4, false, "too long");
    refuse(path, true, "too long");
    /* What was made on the way to a folder that cannot be made goes again. */
    strcpy(path + 260, "/out.csv");
    refuse(path, true, "cannot create the folder \"new/xxx");
    refuse("one/two/../three/", true, "directory");
    ck_assert_int_eq(count("."), 0);
    leave();
}
END_TEST

/* An unnamed file does not keep its folder from being removed by whoever made it. */
START_TEST(test_a_discarded_neighbour_takes_no_folder_away)
{
    enter();
    struct output *maker = open_output("made/deep/a.csv", _i, true);
    struct output *other = open_output("made/deep/b.csv", _i, false);
    ck_assert_int_eq(write(output_fd(other), "b\n", 2), 2);
    output_close(maker);
    publish(other);
    expect_file("made/deep/b.csv", "b\n");
    ck_assert_int_eq(count("made/deep"), 1);
    leave();
}
END_TEST

START_TEST(test_two_outputs_of_one_path)
{
    enter();
    struct output *first = open_output("out.csv", _i, false);
    struct output *second = open_output("out.csv", _i, false);
    ck_assert_int_eq(write(output_fd(first), "the first\n", 10), 10);
    ck_assert_int_eq(write(output_fd(second), "2\n", 2), 2);
    publish(second);
    expect_file("out.csv", "2\n");
    publish(first);
    expect_file("out.csv", "the first\n");
    ck_assert_int_eq(count("."), 1);
    leave();
}
END_TEST

/* Permissions do not hold root back: this is done as nobody, in a process as undumpable as a worker. */

static bool is_refused(const char *path, bool create, const char *part)
{
    const struct output_options options = {.path = path, .create_directories = create};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    return output_open(&options, &output, &error) < 0 &&
           error.category == OSIRIS_ERROR_PERMISSION && strstr(error.message, part) != NULL;
}

static bool is_published(const char *path, bool named)
{
    const struct output_options options = {.path = path, .named = named};
    struct output *output = NULL;

    if (output_open(&options, &output, NULL) < 0)
        return false;
    bool done = output_finish(output, NULL) == 0 && output_publish(output, NULL) == 0;
    output_close(output);
    return done && access(path, F_OK) == 0;
}

static void act_as_nobody(void)
{
    if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
        _exit(1);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || chdir(folder) < 0)
        _exit(2);
    if (!is_published("open/unnamed.csv", false) || !is_published("open/named.csv", true))
        _exit(3);
    if (!is_refused("closed/out.csv", false, "cannot write \"closed/out.csv\""))
        _exit(4);
    if (!is_refused("closed/new/deep/out.csv", true, "folder \"closed/new\""))
        _exit(5);
    if (!is_refused("open/protected.csv", false, "cannot replace \"open/protected.csv\""))
        _exit(6);
    _exit(0);
}

START_TEST(test_as_somebody_without_privileges)
{
    int status;

    enter();
    ck_assert_int_eq(chmod(".", 0755), 0);
    ck_assert_int_eq(mkdir("open", 0777), 0);
    ck_assert_int_eq(chmod("open", 0777), 0);
    ck_assert_int_eq(mkdir("closed", 0555), 0);
    write_file("open/protected.csv", "precious\n");
    ck_assert_int_eq(chmod("open/protected.csv", 0444), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        act_as_nobody();
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ended with %d at step %d", status,
                  WEXITSTATUS(status));
    expect_file("open/protected.csv", "precious\n");
    ck_assert_int_eq(count("open"), 3);
    ck_assert_int_eq(count("closed"), 0);
    leave();
}
END_TEST

START_TEST(test_a_device_is_written_through)
{
    struct output *output = open_output("/dev/null", false, false);

    ck_assert_int_eq(write(output_fd(output), "x", 1), 1);
    publish(output);
    struct stat status;
    ck_assert_int_eq(stat("/dev/null", &status), 0);
    ck_assert(S_ISCHR(status.st_mode));
}
END_TEST

static struct output *set_aside(const char *path, bool named, int *shelf)
{
    struct output *output = open_output(path, named, true);

    ck_assert_int_eq(write(output_fd(output), path, strlen(path)), (ssize_t)strlen(path));
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_set_aside(output, shelf, NULL), 0);
    return output;
}

static int open_descriptors(void)
{
    return count("/proc/self/fd");
}

START_TEST(test_many_outputs_are_set_aside)
{
    enum { MANY = 50 };
    struct output *outputs[MANY];
    int shelf = -1;
    char path[32];

    enter();
    int before = open_descriptors();
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "parts/%d.csv", i);
        outputs[i] = set_aside(path, _i, &shelf);
        ck_assert_int_eq(output_size(outputs[i]), (int64_t)strlen(path));
    }
    ck_assert_int_eq(open_descriptors(), before + 1);
    ck_assert_int_eq(access("parts/0.csv", F_OK), -1);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(output_finish(outputs[i], NULL), 0);
        ck_assert_int_eq(output_publish(outputs[i], NULL), 0);
    }
    ck_assert_int_eq(output_sync_folder(outputs[MANY - 1], NULL), 0);
    for (int i = 0; i < MANY; i++)
        output_close(outputs[i]);
    close(shelf);
    ck_assert_int_eq(count("parts"), MANY);
    expect_file("parts/7.csv", "parts/7.csv");
    leave();
}
END_TEST

START_TEST(test_what_is_set_aside_leaves_no_trace)
{
    struct output *outputs[2];
    int shelf = -1;

    enter();
    outputs[0] = set_aside("a/one.csv", _i, &shelf);
    outputs[1] = set_aside("a/two.csv", _i, &shelf);
    output_close(outputs[1]);
    output_close(outputs[0]);
    close(shelf);
    ck_assert_int_eq(count("."), 0);
    leave();
}
END_TEST

/* It has no lock of its own; the folder's goes with the process. */
START_TEST(test_what_is_set_aside_is_not_stale)
{
    int shelf = -1;

    enter();
    struct output *waiting = set_aside("out.csv", _i, &shelf);
    struct output *other = open_output("out.csv", false, false);
    ck_assert_int_eq(output_publish(waiting, NULL), 0);
    expect_file("out.csv", "out.csv");
    output_close(waiting);
    output_close(other);
    close(shelf);

    shelf = -1;
    waiting = set_aside("out.csv", _i, &shelf);
    ck_assert_int_eq(count("."), 2);
    /* As if its process had ended. */
    close(shelf);
    output_close(open_output("out.csv", false, false));
    ck_assert_int_eq(count("."), 1);
    output_close(waiting);
    leave();
}
END_TEST

START_TEST(test_another_folder_has_no_place_on_the_shelf)
{
    int shelf = -1;

    enter();
    struct output *one = set_aside("a/one.csv", _i, &shelf);
    struct output *two = set_aside("b/two.csv", _i, &shelf);
    ck_assert_int_eq(output_fd(one), -1);
    ck_assert_int_ge(output_fd(two), 0);
    publish(one);
    publish(two);
    close(shelf);
    expect_file("a/one.csv", "a/one.csv");
    expect_file("b/two.csv", "b/two.csv");
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");

    tcase_add_loop_test(tcase, test_nothing_is_there_before_publishing, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_not_published_leaves_no_trace, 0, 2);
    tcase_add_loop_test(tcase, test_what_was_published_is_taken_back, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_kept_is_not_stale, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_not_ours_gets_no_hidden_name, 0, 2);
    tcase_add_loop_test(tcase, test_what_somebody_else_has_replaced_is_left_alone, 0, 2);
    tcase_add_loop_test(tcase, test_a_folder_is_not_replaced, 0, 2);
    tcase_add_loop_test(tcase, test_publishing_needs_finishing, 0, 2);
    tcase_add_loop_test(tcase, test_a_link_is_followed, 0, 2);
    tcase_add_loop_test(tcase, test_stale_files_go_and_locked_ones_stay, 0, 2);
    tcase_add_loop_test(tcase, test_stale_files_of_a_series_go, 0, 2);
    tcase_add_loop_test(tcase, test_who_is_told_where_names_are_hidden, 0, 2);
    tcase_add_test(tcase, test_what_a_dead_run_hid_is_removed);
    tcase_add_test(tcase, test_what_cannot_be_an_output);
    tcase_add_loop_test(tcase, test_permissions, 0, 2);
    tcase_add_loop_test(tcase, test_an_asked_mode_is_exact, 0, 2);
    tcase_add_loop_test(tcase, test_appending_keeps_what_is_there, 0, 2);
    tcase_add_loop_test(tcase, test_appending_copies_all_of_a_large_file, 0, 2);
    tcase_add_loop_test(tcase, test_appending_to_what_changes_is_refused, 0, 2);
    tcase_add_loop_test(tcase, test_long_names, 0, 2);
    tcase_add_test(tcase, test_too_long_names_are_refused_at_once);
    tcase_add_loop_test(tcase, test_a_discarded_neighbour_takes_no_folder_away, 0, 2);
    tcase_add_loop_test(tcase, test_two_outputs_of_one_path, 0, 2);
    tcase_add_loop_test(tcase, test_many_outputs_are_set_aside, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_set_aside_leaves_no_trace, 0, 2);
    tcase_add_loop_test(tcase, test_what_is_set_aside_is_not_stale, 0, 2);
    tcase_add_loop_test(tcase, test_another_folder_has_no_place_on_the_shelf, 0, 2);
    tcase_add_test(tcase, test_as_somebody_without_privileges);
    tcase_add_test(tcase, test_a_device_is_written_through);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
