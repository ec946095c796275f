/*
 * What the protocol costs, beside what the same socket can do at best.
 *
 *     bench/rpc [--rounds N] [--worker FILE] [--osiris FILE] [--drivers FOLDERS]
 *               [--where apart|together|anywhere] [--shape NAME] [--kib N] [latency|batches|codec|places]…
 *
 * The programs and test drivers of the build that it belongs to are the default. Prints a table of each part (default: all).
 * Ratios are of numbers that were taken in turns in the same run.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/rpc.h"
#include "core/base/cleanup.h"

void give_up(const char *what)
{
    fprintf(stderr, "bench/rpc: %s\n", what);
    exit(EXIT_FAILURE);
}

void check(bool condition, const char *what)
{
    if (!condition)
        give_up(what);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double percentile(double *samples, size_t count, double part)
{
    qsort(samples, count, sizeof *samples, compare);
    size_t at = (size_t)((double)count * part);
    return samples[at < count ? at : count - 1];
}

bool is_wanted(const char *only, const char *name)
{
    return only == NULL || strcmp(only, name) == 0;
}

const char *verdict(bool met)
{
    return met ? "met    " : "NOT met";
}

const char *const place_names[PLACES] = {"apart", "together", "anywhere"};
const char *const place_titles[PLACES] = {"each end on a core of its own", "both ends on one core",
                                          "where the scheduler puts them"};

void sit_on(enum where where, int which)
{
    cpu_set_t allowed, one;
    int seen = 0;

    if (where == ANYWHERE)
        return;
    check(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "cannot see the cores");
    CPU_ZERO(&one);
    which = where == TOGETHER ? 0 : which;
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &allowed) && seen++ == which)
            CPU_SET(core, &one);
    check(sched_setaffinity(0, sizeof one, &one) == 0, "there are no two cores");
}

static const struct {
    const char *name;
    void (*run)(const struct bench_options *options);
} parts[] = {
    {"latency", bench_latency},
    {"batches", bench_batches},
    {"codec", bench_codec},
    {"places", bench_places},
};

static void usage(void)
{
    fputs("usage: bench/rpc [--rounds N] [--worker FILE] [--osiris FILE] [--drivers FOLDERS]\n"
          "                 [--where apart|together|anywhere] [--shape NAME] [--kib N]\n"
          "                 [latency|batches|codec|places]...\n"
          "latency: ping and a no-op step beside a raw ping-pong of 64 bytes\n"
          "batches: one process to another, beside writev and read of the same bytes\n"
          "codec:   to the wire and from it in memory, beside Arrow IPC (if python3 has pyarrow)\n"
          "places:  a pipeline in two local workers, beside one\n",
          stderr);
    exit(2);
}

/* A build's folder is above the program's. */
static void find_build(char *folder, size_t size)
{
    char *slash;

    check(readlink("/proc/self/exe", folder, size - 1) > 0, "cannot find the build");
    for (int i = 0; i < 2 && (slash = strrchr(folder, '/')) != NULL; i++)
        *slash = '\0';
}

static void run_part(const char *name, const struct bench_options *options)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i].name, name) == 0) {
            parts[i].run(options);
            return;
        }
    usage();
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"worker", required_argument, NULL, 'w'},
                                          {"osiris", required_argument, NULL, 'o'},
                                          {"drivers", required_argument, NULL, 'd'},
                                          {"where", required_argument, NULL, 'p'},
                                          {"shape", required_argument, NULL, 's'},
                                          {"kib", required_argument, NULL, 'k'},
                                          {0}};
    char build[4096] = "";
    _cleanup_free_ char *worker = NULL, *osiris = NULL, *drivers = NULL;
    int option;

    find_build(build, sizeof build);
    check(asprintf(&worker, "%s/osiris-worker", build) > 0 && asprintf(&osiris, "%s/osiris", build) > 0 &&
              asprintf(&drivers, "%s/.libs:%s/tests/plugins/.libs", build, build) > 0, "out of memory");
    struct bench_options options = {.worker = worker, .osiris = osiris, .drivers = drivers, .rounds = 5};

    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'r':
            options.rounds = atoi(optarg);
            break;
        case 'w':
            options.worker = optarg;
            break;
        case 'o':
            options.osiris = optarg;
            break;
        case 'd':
            options.drivers = optarg;
            break;
        case 'p':
            options.where = optarg;
            break;
        case 's':
            options.shape = optarg;
            break;
        case 'k':
            options.kib = (size_t)strtoul(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (options.rounds < 1)
        usage();
    for (int i = optind; i < argc; i++)
        run_part(argv[i], &options);
    for (size_t i = 0; optind == argc && i < sizeof parts / sizeof parts[0]; i++)
        parts[i].run(&options);
    return EXIT_SUCCESS;
}
