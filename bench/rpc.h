/*
 * What the parts of bench/rpc share. Each measures its own beside the raw limit, in turns, so that what else the machine
 * does meets both.
 *
 *   rpc.c           options, the table
 *   rpc-latency.c   round trips with the real osiris-worker
 *   rpc-batches.c   batches from one process to another; from and to memory
 *   rpc-shapes.c    batches to send
 *   rpc-places.c    a pipeline in two places, and in one
 *   rpc-count.c     allocations and copied bytes of this program
 */
#ifndef OSIRIS_BENCH_RPC_H
#define OSIRIS_BENCH_RPC_H

#include <osiris/arrow.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_options {
    const char *worker, *osiris; /* programs */
    const char *drivers;         /* folders, colon-separated: where generate.so and csv.so are */
    int rounds;
    /* Of latency and batches, only these; NULL and 0: all. */
    const char *where, *shape;
    size_t kib;
};

/* A failure of the machine or of what is measured: says so and exits. */
void give_up(const char *what) __attribute__((noreturn));
void check(bool condition, const char *what);

/* Percentiles of samples in nanoseconds, sorted in place. */
double percentile(double *samples, size_t count, double part);

bool is_wanted(const char *only, const char *name);
/* Whether an aim is met, in a column's width. */
const char *verdict(bool met);

/* Where the two ends run decides most of what crossing takes: on one core a switch, on two a wake-up of the other one. Left
 * alone, the scheduler does now this and now that. End `which` (0, 1), and all that it begins, sits there. */
enum where { APART, TOGETHER, ANYWHERE, PLACES };
extern const char *const place_names[PLACES], *const place_titles[PLACES];
void sit_on(enum where where, int which);

void bench_latency(const struct bench_options *options);
void bench_batches(const struct bench_options *options);
void bench_codec(const struct bench_options *options);
void bench_places(const struct bench_options *options);

/* rpc-shapes.c: a batch of about so many bytes; it and its schema live as long as the program. */
enum { SHAPES = 4 };
extern const char *const shape_names[SHAPES]; /* int64, double, utf8, mixed */
struct shape {
    struct ArrowSchema *schema;
    struct ArrowArray *array;
    size_t bytes; /* of all buffers */
};
struct shape make_shape(int number, size_t bytes);
/* A view that releases nothing. */
struct ArrowArray view_of(const struct shape *shape);

/* rpc-count.c: since the program began. */
uint64_t counted_allocations(void);
uint64_t counted_copied_bytes(void); /* by memcpy and memmove calls of a KiB and more */

#endif
