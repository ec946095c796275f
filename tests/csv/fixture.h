/*
 * What the tests of csv.writer stand on: a host made of a JSON config and an anonymous file, arrays made
 * of literals, a stream of them, and one call that runs the driver through its public descriptor.
 */
#ifndef OSIRIS_TESTS_CSV_FIXTURE_H
#define OSIRIS_TESTS_CSV_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <osiris/plugin.h>

/* Ends the test program unless it holds: also outside Check. */
#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define FIXTURE_PARTS_MAX 32

/* One output that the writer opened. */
struct fixture_part {
    char path[256];
    char *text; /* owned */
    size_t size;
    bool finished; /* finish_output was called for it */
};

/* A run of the writer: set what is asked for, then call fixture_run. */
struct fixture {
    const char *config;      /* JSON text; null: only a path */
    const char *device;      /* write here in place of the anonymous file: "/dev/full" */
    int fd;                  /* >= 0: write to this descriptor, which stays open */
    const char *run_id;      /* "run" by default */
    const char *existing;    /* what the file that is appended to has; NULL: there is none */
    size_t existing_size;
    int cancel_after;        /* cancelled() becomes true after so many calls; -1: never */
    size_t input_count;      /* 1 by default */
    int stream_error;        /* get_next fails with it in place of the end */

    struct ArrowSchema *schema; /* released by the run */
    struct ArrowArray **batches;
    size_t batch_count;

    /* The results. */
    int opened;              /* open's return value */
    int result;              /* run's */
    struct fixture_part parts[FIXTURE_PARTS_MAX]; /* what was written */
    size_t part_count;
    char *text;              /* of the first; borrowed */
    size_t size;
    int error_count;
    struct osiris_error_report error; /* the first; its texts are below */
    char message[1024];
    char hint[256];
    uint32_t output_flags;
    uint32_t output_mode;
    char output_path[256];
};

void fixture_init(struct fixture *fixture, const char *config);
void fixture_run(struct fixture *fixture);
void fixture_clear(struct fixture *fixture);

/* Arrays and schemas own copies of what they are made of; `release` frees them with their children. */
struct ArrowSchema *schema_new(const char *format, const char *name);
void schema_add(struct ArrowSchema *parent, struct ArrowSchema *child);

/* `valid`: a string of '1' and '0', one a value, or NULL. The array begins with `skip` elements that are to
 * be overlooked: they count in `length` of the values given, and become the array's offset. */
struct ArrowArray *array_fixed(const void *values, size_t width, int64_t length, const char *valid,
                               int64_t skip);
struct ArrowArray *array_bits(const char *bits, const char *valid, int64_t skip);
/* NULL texts are null. `sizes` may be NULL: strlen. `large`: 64-bit offsets. */
struct ArrowArray *array_text(const char *const *texts, const size_t *sizes, int64_t length,
                              bool large, int64_t skip);
/* A list or map over `child`, or (offsets NULL) a struct or fixed-size list of `length`. */
struct ArrowArray *array_nested(const int32_t *offsets, int64_t length, const char *valid,
                                int64_t skip);
struct ArrowArray *array_empty(void); /* no buffers: format "n" of `length` set by the caller */
void array_add(struct ArrowArray *parent, struct ArrowArray *child);

/* One column, one batch: the file's text without the header. Ends the program if the run fails. The result is
 * freed by the caller. */
char *write_column(const char *config, const char *format, struct ArrowArray *array);

#endif
