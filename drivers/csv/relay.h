/*
 * A thread that compresses what the step's thread has formatted: one buffer is filled while the
 * other is on its way. At most one is handed over at a time.
 */
#ifndef OSIRIS_CSV_RELAY_H
#define OSIRIS_CSV_RELAY_H

#include "file.h"

struct csv_relay;

/* `spare` (taken) is as large as the buffers that are given. NULL, reported. */
struct csv_relay *csv_relay_new(struct csv_file *file, char *spare);
/* Waits for the thread, which ends with the buffer at hand or soon after a cancel. */
void csv_relay_free(struct csv_relay *relay);

/* Hands a full buffer over; waits for the one before. The free one to go on with, or NULL: it
 * failed, which is reported, or the step was cancelled. `buffer` is the relay's in either case. */
char *csv_relay_give(struct csv_relay *relay, char *buffer, size_t size);

/* Waits until all that was given is written: the file is the caller's until the next is given. 0,
 * or -1 reported. */
int csv_relay_drain(struct csv_relay *relay);

#endif
