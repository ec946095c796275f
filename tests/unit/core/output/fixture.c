/* See fixture.h. */
#include "unit/core/output/fixture.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char folder[] = "/tmp/osiris-output.XXXXXX";

void enter(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

void leave(void)
{
    char command[64];

    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

int count(const char *path)
{
    DIR *dir = opendir(path);
    int found = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        found++;
    closedir(dir);
    return found - 2;
}

void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

void expect_file(const char *path, const char *text)
{
    char got[100] = "";
    FILE *file = fopen(path, "r");

    ck_assert_msg(file != NULL, "%s is missing", path);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(got, text);
}

struct output *open_output(const char *path, bool named, bool create)
{
    const struct output_options options = {
        .path = path, .run_id = "RUN", .named = named, .create_directories = create};
    struct output *output = NULL;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_msg(output_open(&options, &output, &error) == 0, "%s", error.message);
    return output;
}

void publish(struct output *output)
{
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_publish(output, NULL), 0);
    output_close(output);
}

struct output *publish_text(const char *path, const char *text, bool named)
{
    struct output *output = open_output(path, named, true);

    ck_assert_int_eq(write(output_fd(output), text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(output_finish(output, NULL), 0);
    ck_assert_int_eq(output_publish(output, NULL), 0);
    expect_file(path, text);
    return output;
}
