/*
 * The output file at hand: text goes in, encoded and compressed bytes go to the descriptor, which
 * the host owns. While an existing file's header is compared (append), the bytes are held against
 * that file and not written.
 *
 * Used by one thread at a time: the step's, or the relay's (relay.h).
 */
#ifndef OSIRIS_CSV_FILE_H
#define OSIRIS_CSV_FILE_H

#include "compress.h"
#include "encode.h"
#include "options.h"

struct csv_existing;

struct csv_file {
    const struct osiris_host *host;
    const struct csv_options *options;
    char *path;   /* owned */
    int fd;       /* -1: none is open */
    bool careful; /* a pipe, terminal or socket: what is written must never block for long */
    bool socket;
    struct csv_encoder encoder;
    char *encoded;                     /* owned; room of the encoder's */
    struct csv_compressor *compressor; /* owned; NULL: none */
    struct csv_existing *existing;     /* owned; NULL: it is written to */
};

/* 0, or -1 reported. Begins without a descriptor. */
int csv_file_init(struct csv_file *file, const struct osiris_host *host,
                  const struct csv_options *options);
void csv_file_clear(struct csv_file *file);

/* Goes on with another output: `path` is taken. */
void csv_file_set(struct csv_file *file, char *path, int fd);

/* The encoding's mark, then texts. 0, or -1 reported: the disk is full, the step was cancelled, …
 */
int csv_file_write_mark(struct csv_file *file);
int csv_file_write(struct csv_file *file, const char *data, size_t size);
/* All of the file is written: ends its compression. */
int csv_file_end(struct csv_file *file);

/* From here to the end of the comparison, what is written must be what the file that is there
 * begins with. */
int csv_file_compare_begin(struct csv_file *file);
/* The file must end with a line break, so that a row can follow. */
int csv_file_compare_end(struct csv_file *file);

#endif
