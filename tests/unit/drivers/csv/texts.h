/* Runs of the writer over a few texts, and what is expected of them. */
#ifndef OSIRIS_TESTS_UNIT_CSV_TEXTS_H
#define OSIRIS_TESTS_UNIT_CSV_TEXTS_H

#include "csv/fixture.h"

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Columns "n" (integers from 0) and "t" (texts) of as many rows as there are texts, in batches of two rows. */
void run_texts(struct fixture *fixture, const char *const *texts);

/* The run succeeds, and the file is as expected. */
void check_bytes(const char *config, const char *const *texts, const char *expected, size_t size);
#define CHECK_BYTES(config, texts, expected)                                                       \
    check_bytes(config, texts, expected, sizeof(expected) - 1)

/* The run fails, and the word is in its error. */
void check_failure(const char *config, const char *const *texts, const char *word);

/* Appends one row to a file with this content. */
void append_to(struct fixture *fixture, const char *config, const char *existing, size_t size);
/* That is refused as an error of the data, and the word is in it. */
void check_bytes_refused(const char *config, const char *existing, size_t size, const char *word);
void check_append_refused(const char *config, const char *existing, const char *word);

#endif
