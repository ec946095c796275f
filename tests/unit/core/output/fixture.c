/* See fixture.h. */
#include "unit/core/output/fixture.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
