/* A pipeline of an extractor and csv.writer: both in one worker, and each in one of its own. See rpc.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/rpc.h"
#include "core/base/cleanup.h"
#include "core/base/clock.h"

enum { ROWS = 8000000 };

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "cannot write a file");
}

static void write_pipeline(const char *name, const char *place)
{
    _cleanup_free_ char *text = NULL;

    check(asprintf(&text,
                   "oml_version: \"0.1.0\"\nname: bench\nsteps:\n"
                   "  - {id: make, component: test.generate, mode: read, run_on: here,\n"
                   "     config: {rows: %d, batch_rows: 32768, row_bytes: 40}}\n"
                   "  - {id: save, component: csv.writer, mode: write, run_on: %s,\n"
                   "     config: {path: out.csv}}\n", ROWS, place) > 0, "out of memory");
    write_file(name, text);
}

/* Seconds. */
static double run(const char *osiris, const char *pipeline)
{
    int64_t began = clock_monotonic_ns();
    pid_t pid = fork();
    int status;

    check(pid >= 0, "cannot fork");
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (dup2(null, STDOUT_FILENO) >= 0)
            execl(osiris, osiris, "run", pipeline, (char *)NULL);
        _exit(127);
    }
    check(waitpid(pid, &status, 0) == pid && status == 0, "osiris run failed");
    return (double)(clock_monotonic_ns() - began) / 1e9;
}

static char *absolute(const char *path)
{
    char *found = realpath(path, NULL);

    check(found != NULL, "a program is missing");
    return found;
}

/* Relative folders are the caller's. */
static char *absolute_folders(const char *folders)
{
    _cleanup_free_ char *copy = strdup(folders);
    char *all = strdup(""), *rest = copy;

    for (char *folder; (folder = strsep(&rest, ":")) != NULL;) {
        _cleanup_free_ char *one = realpath(folder, NULL), *before = all;
        check(one == NULL || asprintf(&all, "%s%s%s", before, before[0] == '\0' ? "" : ":", one) >= 0,
              "out of memory");
        if (one == NULL)
            before = NULL;
    }
    return all;
}

void bench_places(const struct bench_options *options)
{
    _cleanup_free_ char *osiris = absolute(options->osiris), *worker = absolute(options->worker),
                        *drivers = absolute_folders(options->drivers);
    char folder[] = "/tmp/osiris-bench.XXXXXX", command[64];
    double *one = calloc((size_t)options->rounds, 2 * sizeof *one), *two = one + options->rounds;
    size_t rounds = (size_t)options->rounds;

    check(one != NULL && mkdtemp(folder) != NULL && chdir(folder) == 0, "no temporary folder");
    setenv("OSIRIS_WORKER", worker, 1);
    setenv("OSIRIS_DRIVER_PATH", drivers, 1);
    setenv("OSIRIS_ADAPTER_PATH", drivers, 1);
    write_file("osiris.yaml", "adapters:\n  here: {adapter: local}\n  there: {adapter: local}\n");
    write_pipeline("one.yaml", "here");
    write_pipeline("two.yaml", "there");
    (void)run(osiris, "one.yaml"); /* descriptions of drivers, and the page cache */
    for (size_t i = 0; i < rounds; i++) {
        one[i] = run(osiris, "one.yaml");
        two[i] = run(osiris, "two.yaml");
    }
    double in_one = percentile(one, rounds, 0.5), in_two = percentile(two, rounds, 0.5);
    printf("%d rows of 50 bytes from an extractor to csv.writer, seconds\n"
           "  in one worker   %6.2f\n  in two workers  %6.2f (%.2f)\n", ROWS, in_one, in_two,
           in_two / in_one);
    free(one);
    check(chdir("/") == 0, "cannot leave a folder");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    check(system(command) == 0, "cannot remove a folder");
}
