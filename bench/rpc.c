/*
 * What the protocol costs, beside what the same socket can do at best.
 *
 *     bench/rpc [--rounds N] [--worker FILE] [--osiris FILE] [--drivers FOLDERS] [latency|batches|codec|places]…
 *
 * Run in the folder of the build, where the programs and test drivers are by default. Prints a table of each part (default: all).
 * Ratios are of numbers that were taken in turns in the same run.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rpc.h"

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
          "                 [latency|batches|codec|places]...\n"
          "latency: ping and a no-op step beside a raw ping-pong of 64 bytes\n"
          "batches: one process to another, beside writev and read of the same bytes\n"
          "codec:   to the wire and from it in memory, beside Arrow IPC (if python3 has pyarrow)\n"
          "places:  a pipeline in two local workers, beside one\n",
          stderr);
    exit(2);
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
                                          {0}};
    struct bench_options options = {.worker = "./osiris-worker",
                                    .osiris = "./osiris",
                                    .drivers = ".libs:tests/plugins/.libs",
                                    .rounds = 5};
    int option;

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
