/* Small files that appear whole, and lines that do (core/base/atomic-file.h). */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/atomic-file.h"

static char folder[64];

static void enter(void)
{
    strcpy(folder, "/tmp/osa.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave(void)
{
    char command[96];

    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write_fully(fd, text, strlen(text)), 0);
    ck_assert_int_eq(close(fd), 0);
}

static void write_it(const char *text)
{
    ck_assert_int_eq(atomic_file_write("file", text, strlen(text), 0644, NULL), 0);
    ck_assert(atomic_file_holds("file", text, strlen(text)));
}

START_TEST(test_what_a_killed_process_left_is_used)
{
    struct stat status;

    enter();
    put("file.tmp", "half of what somebody wrote, and longer than what comes now");
    write_it("new");
    ck_assert_int_eq(stat("file", &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0644);
    ck_assert_int_eq(access("file.tmp", F_OK), -1);
    leave();
}
END_TEST

/* Somebody writes there, or it is none of ours: another name is taken, and that one stays as it is. */
START_TEST(test_what_somebody_else_has_is_left_alone)
{
    enter();
    put("file.tmp", "busy");
    int fd = open("file.tmp", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    write_it("one");
    ck_assert(atomic_file_holds("file.tmp", "busy", 4));
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(unlink("file.tmp"), 0);
    put("victim", "precious");
    ck_assert_int_eq(symlink("victim", "file.tmp"), 0);
    write_it("two");
    ck_assert(atomic_file_holds("victim", "precious", 8));
    ck_assert_int_eq(unlink("file.tmp"), 0);
    ck_assert_int_eq(link("victim", "file.tmp"), 0);
    write_it("three");
    ck_assert(atomic_file_holds("victim", "precious", 8));
    leave();
}
END_TEST

static void expect_cut(const char *text, const char *whole)
{
    put("lines", text);
    int fd = open("lines", O_RDWR | O_APPEND | O_CLOEXEC);
    cut_to_whole_lines(fd);
    ck_assert_int_eq(close(fd), 0);
    ck_assert(atomic_file_holds("lines", whole, strlen(whole)));
}

START_TEST(test_cutting_to_whole_lines)
{
    char *text = malloc(20001);

    enter();
    expect_cut("", "");
    expect_cut("no line", "");
    expect_cut("one\ntwo\n", "one\ntwo\n");
    expect_cut("one\ntw", "one\n");
    /* Longer than what is looked at in one go. */
    memset(text, 'x', 20000);
    text[20000] = '\0';
    expect_cut(text, "");
    text[0] = '\n';
    expect_cut(text, "\n");
    free(text);
    leave();
}
END_TEST

UNIT_MAIN("atomic-file", test_what_a_killed_process_left_is_used, test_what_somebody_else_has_is_left_alone,
          test_cutting_to_whole_lines)
