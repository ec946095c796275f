/*
 * The current output file: text goes in, encoded and compressed bytes go to the descriptor, which
 * the host owns. While the header of an existing file is compared (append), the bytes are compared with
 * that file instead of written.
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
    bool careful; /* a pipe, terminal or socket: a write must never block for long */
    bool socket;
    struct csv_encoder encoder;
    char *encoded;                     /* owned; the encoder's output */
    struct csv_compressor *compressor; /* owned; NULL: none */
    struct csv_existing *existing;     /* owned; NULL: bytes are written */
};

/* 0, or -1 reported. There is no descriptor yet. */
int csv_file_init(struct csv_file *file, const struct osiris_host *host,
                  const struct csv_options *options);
void csv_file_clear(struct csv_file *file);

/* Switches to another output: `path` is taken. */
void csv_file_set(struct csv_file *file, char *path, int fd);

/* Writes the byte order mark, then texts. 0, or -1 reported: the disk is full, the step was cancelled, …
 */
int csv_file_write_mark(struct csv_file *file);
int csv_file_write(struct csv_file *file, const char *data, size_t size);
/* Ends the file's compression; call it when all of its text is written. */
int csv_file_end(struct csv_file *file);

/* From here to the end of the comparison, whatever is written must equal the start of the existing
 * file. */
int csv_file_compare_begin(struct csv_file *file);
/* Checks that the file ends with a line break, so that a row can follow. */
int csv_file_compare_end(struct csv_file *file);

#endif
