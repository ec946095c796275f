/*
 * Compression of one file as a gzip member or a zstd frame, and decompression, in bounded memory.
 */
#ifndef OSIRIS_CSV_COMPRESS_H
#define OSIRIS_CSV_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum csv_compression {
    CSV_PLAIN,
    CSV_GZIP,
    CSV_ZSTD,
};

/* NULL, or why this build or this level cannot be used: a constant text. 0 is the default level. */
const char *csv_compression_problem(enum csv_compression compression, int level);

/* The compression that a file's name selects with ".gz" or ".zst". */
enum csv_compression csv_compression_of_name(const char *name);

/* Takes compressed bytes; -1: it failed and has reported why. */
typedef int (*csv_take)(void *context, const char *data, size_t size);

struct csv_compressor;

/* NULL: no memory. */
struct csv_compressor *csv_compressor_new(enum csv_compression compression, int level);
void csv_compressor_free(struct csv_compressor *compressor);

/* Compresses data and, if it is the `last`, ends the member or frame; the next data starts another.
 * 0; -1: `take` failed; 1: the library failed, and *problem says how. */
int csv_compress(struct csv_compressor *compressor, const char *data, size_t size, bool last,
                 csv_take take, void *context, const char **problem);

struct csv_decompressor;

/* For gzip or zstd. NULL: no memory. */
struct csv_decompressor *csv_decompressor_new(enum csv_compression compression);
void csv_decompressor_free(struct csv_decompressor *decompressor);

/* Decompresses some of the *left bytes at *data; both are advanced past what was used.
 * Call it until nothing is left and it returns 0. Returns the size of the text at `to`, or -1: the bytes are not such a member or
 * frame, are damaged, or their frame needs more than 32 MiB; *problem says how. */
ssize_t csv_decompress(struct csv_decompressor *decompressor, const char **data, size_t *left,
                       char *to, size_t size, const char **problem);

/* Whether a member or frame has started and not ended. */
bool csv_decompressor_is_inside(const struct csv_decompressor *decompressor);

#endif
