/* The log of a detached worker: what it prints, in a file of a bounded size. The keeper writes it, relays follow it. */
#ifndef OSIRIS_WORKER_RELAY_LOG_H
#define OSIRIS_WORKER_RELAY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LIMIT ((int64_t)16 << 20)

/* Writing. What exceeds the limit, or cannot be written, is dropped; one line says so. */
struct log_writer {
    int fd; /* of the file; -1: nothing is written */
    int64_t left;
    bool full;
};

/* Copies what can be read from the pipe now. False: its end. */
bool log_copy(struct log_writer *writer, int pipe);

/*
 * Following. What carries a relay's standard error (ssh) may write to it, too. So the log comes in pieces, each with a line of its own before
 * it that says where in the log it begins, and how long it is: "\nosiris-log OFFSET LENGTH\n".
 */
#define LOG_PIECE 16384
#define LOG_PIECE_HEADER 64
struct log_reader {
    int fd;      /* of the file; -1: none */
    int watch;   /* becomes readable when the file may have grown (inotify); -1: look at it now and then */
    int64_t offset;
    char bytes[LOG_PIECE_HEADER + LOG_PIECE];
    int filled, sent; /* of `bytes`, from the header on */
};

/* `folder` is a descriptor. */
void log_reader_open(struct log_reader *reader, int folder, int64_t offset);
void log_reader_close(struct log_reader *reader);
/* Writes as much to `to` (non-blocking) as there is and as it takes. 1: `to` is full; 0: everything is written; -1: nobody reads it. */
int log_follow(struct log_reader *reader, int to);

#endif
