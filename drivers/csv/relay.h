/*
 * A thread that compresses what the step's thread has formatted. One buffer is filled while the
 * other is compressed. At most one is handed over at a time.
 */
#ifndef OSIRIS_CSV_RELAY_H
#define OSIRIS_CSV_RELAY_H

#include "file.h"

struct csv_relay;

/* `spare` (taken) is as large as the buffers that are handed over. NULL, reported. */
struct csv_relay *csv_relay_new(struct csv_file *file, char *spare);
/* Waits for the thread, which ends after the current buffer or soon after a cancel. */
void csv_relay_free(struct csv_relay *relay);

/* Hands a full buffer over, after waiting for the previous one. Returns the free buffer, or NULL: it
 * failed, which is reported, or the step was cancelled. The relay owns `buffer` in either case. */
char *csv_relay_hand_over(struct csv_relay *relay, char *buffer, size_t size);

/* Waits until everything is written; the caller may use the file until the next buffer is handed over. 0,
 * or -1 reported. */
int csv_relay_drain(struct csv_relay *relay);

#endif
