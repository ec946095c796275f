/* What workers leave (core/output/litter.h): created folders, which the last worker of a run removes even if no osiris is there. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/litter.h"
#include "unit.h"

static char folder[64];

struct worker {
    char *temp_dir;
    int lock;
};

static void enter(void)
{
    strcpy(folder, "/tmp/osiris-litter.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    remove_tree(folder);
}

static struct worker begin(void)
{
    char name[CLOCK_ULID_SIZE];
    struct worker worker;

    ck_assert_int_eq(clock_ulid(name), 0);
    worker.temp_dir = memory_format("%s/tmp/%s", folder, name);
    worker.lock = litter_lock(worker.temp_dir);
    ck_assert_int_ge(worker.lock, 0);
    return worker;
}

static void end(struct worker *worker)
{
    char *root = memory_format("%s/tmp", folder);

    (void)close(worker->lock);
    litter_end(root, worker->temp_dir, "RUN");
    ck_assert_int_lt(access(worker->temp_dir, F_OK), 0);
    free(worker->temp_dir);
    free(root);
}

static void make(const struct worker *worker, const char *path, bool kept)
{
    ck_assert_int_eq(mkdir(path, 0755), 0);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    litter_note_made(worker->temp_dir, fd);
    if (kept)
        litter_note_kept(worker->temp_dir, fd);
    (void)close(fd);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* One has made the outer folder, another one the inner one: whoever ends first. */
START_TEST(test_last_worker_removes_folders)
{
    enter();
    struct worker outer = begin(), inner = begin();
    struct worker *first = _i == 0 ? &outer : &inner, *second = _i == 0 ? &inner : &outer;
    make(&outer, "out", false);
    make(&inner, "out/inner", false);
    make(&outer, "out/inner/innermost", false);
    end(first);
    ck_assert(is_there("out"));
    end(second);
    ck_assert(!is_there("out"));
    ck_assert_int_eq(rmdir("tmp"), 0);
    leave();
}
END_TEST

START_TEST(test_folders_that_stay)
{
    enter();
    struct worker worker = begin(), other = begin();
    ck_assert_int_eq(mkdir("theirs", 0755), 0);
    make(&worker, "theirs/ours", false);
    make(&worker, "kept", true);
    make(&worker, "used", false);
    make(&worker, "used/empty", false);
    make(&other, "replaced", false);
    (void)close(open("used/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    /* Another folder of that name. */
    ck_assert_int_eq(rename("replaced", "moved"), 0);
    ck_assert_int_eq(mkdir("replaced", 0755), 0);
    end(&worker);
    end(&other);
    ck_assert(is_there("theirs") && is_there("kept") && is_there("used") && is_there("replaced"));
    ck_assert(!is_there("theirs/ours") && !is_there("used/empty"));
    leave();
}
END_TEST

/* The list of a killed worker, and of one that has ended before. */
START_TEST(test_osiris_removes_the_rest)
{
    char *root;

    enter();
    struct worker killed = begin(), ended = begin();
    make(&ended, "out", false);
    make(&killed, "out/inner", false);
    end(&ended);
    ck_assert(is_there("out/inner"));
    root = memory_format("%s/tmp", folder);
    ck_assert(!litter_remove_dead(root, "RUN"));
    (void)close(killed.lock);
    ck_assert(litter_remove_dead(root, "RUN"));
    ck_assert(!is_there("out") && !is_there("tmp"));
    free(root);
    free(killed.temp_dir);
    leave();
}
END_TEST

/* The list remains, for osiris, and nothing else. */
START_TEST(test_a_worker_with_open_outputs)
{
    enter();
    struct worker worker = begin();
    char *root = memory_format("%s/tmp", folder), *file = memory_format("%s/scratch", worker.temp_dir);
    make(&worker, "out", false);
    (void)close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    (void)close(worker.lock);
    litter_leave(worker.temp_dir);
    ck_assert(is_there("out") && is_there(worker.temp_dir) && !is_there(file));
    litter_remove(root, "RUN");
    ck_assert(!is_there("out") && !is_there("tmp"));
    free(file);
    free(root);
    free(worker.temp_dir);
    leave();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("litter");
    TCase *tcase = tcase_create("litter");

    tcase_add_loop_test(tcase, test_last_worker_removes_folders, 0, 2);
    tcase_add_test(tcase, test_folders_that_stay);
    tcase_add_test(tcase, test_osiris_removes_the_rest);
    tcase_add_test(tcase, test_a_worker_with_open_outputs);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
