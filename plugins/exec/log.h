/*
 * The worker's log, as it arrives over one link after the other, and goes on to osiris. A new relay is asked for the log from an
 * offset on. What the command itself prints when a link breaks ("Connection closed by remote host") cannot be told from the log, so the
 * offset is that of the last bytes that are remembered here: they come again, and where they differ, the rest was not the log's.
 *
 * Used by one thread at a time.
 */
#ifndef OSIRIS_EXEC_LOG_H
#define OSIRIS_EXEC_LOG_H

#include <stddef.h>
#include <stdint.h>

#define LOG_REMEMBERED 8192

struct log {
    int diagnostics; /* osiris reads at the other end; owned; -1: nobody does */
    int64_t begin;   /* offset of the first byte that is remembered */
    char bytes[LOG_REMEMBERED];
    size_t length; /* of those */
    size_t again;  /* as many of them have come again over this link */
};

/* A new link begins with the log from this offset on. */
int64_t log_begin_link(struct log *log);
/* A byte of the log has come. True: it is new, and goes on to osiris. */
int log_is_new(struct log *log, char byte);
/* The last words, in one line. */
void log_read_tail(const struct log *log, char *text, size_t size);

#endif
