/* Trees that are removed, however they were made (core/base/remove-tree.h). */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/remove-tree.h"

/* Folders in folders, with a file in each. */
static void make_deep(const char *top, int levels)
{
    int folder = mkdir(top, 0755) < 0 ? -1 : open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < levels; i++) {
        ck_assert_int_ge(folder, 0);
        ck_assert_int_eq(mknodat(folder, "file", S_IFREG | 0644, 0), 0);
        ck_assert_int_eq(mkdirat(folder, "d", 0755), 0);
        int inner = openat(folder, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(folder);
        folder = inner;
    }
    (void)close(folder);
}

START_TEST(test_deep_trees)
{
    static const int levels[] = {0, 1, 63, 64, 65, 66, 500, 3000};
    char folder[] = "/tmp/ost.XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tree", folder);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        make_deep(path, levels[i]);
        remove_tree(path);
        ck_assert_msg(access(path, F_OK) < 0, "%d levels", levels[i]);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(test_folders_that_are_closed)
{
    char folder[] = "/tmp/ost.XXXXXX", path[64];

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tree", folder);
    make_deep(path, 2);
    snprintf(path, sizeof path, "%s/tree/d", folder);
    ck_assert_int_eq(chmod(path, 0), 0);
    snprintf(path, sizeof path, "%s/tree", folder);
    ck_assert_int_eq(chmod(path, 0), 0);
    remove_tree(path);
    ck_assert_int_lt(access(path, F_OK), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

UNIT_MAIN("remove-tree", test_deep_trees, test_folders_that_are_closed)
