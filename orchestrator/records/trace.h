/*
 * Traces of the protocol: every frame between osiris and its workers, as written with OSIRIS_RPC_DEBUG and read by `osiris rpc
 * dump`. docs/protocol.md defines the format: lines of JSON, a header, then a record for each frame.
 *
 * A trace contains no secrets: messages are redacted, and of what `prepare` carries in connections, secrets and
 * environment only the names are kept. No body gets into one either, only its length. The file is for its owner alone.
 *
 * One thread.
 */
#ifndef OSIRIS_ORCHESTRATOR_RECORDS_TRACE_H
#define OSIRIS_ORCHESTRATOR_RECORDS_TRACE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/wire/frame.h"
#include "core/base/redact.h"

#define TRACE_VERSION 1
#define TRACE_RECORD_BYTES (1u << 20) /* the message of a longer record is omitted */
#define TRACE_FILE_BYTES (64u << 20)  /* then the trace ends with an end record */
#define TRACE_LINE_BYTES 400          /* of a message in readable lines */

/* Writing. */

struct trace_writer;

struct trace_options {
    const char *path;
    const char *run_id;
    const char *version;  /* of osiris */
    const char *pipeline; /* its file; or NULL */
    const char *profile;  /* or NULL */
    struct redactor *redactor; /* outlives it */
};

/* An existing file is replaced; anything but a regular file is refused. */
struct trace_writer *trace_writer_open(const struct trace_options *options,
                                       struct osiris_error *error);
/* 0, or -1 with the first failure of writing. NULL is ignored. */
int trace_writer_close(struct trace_writer *writer, struct osiris_error *error);
/* Adds a frame. Returns it as a readable line (free it), or NULL if out of memory. */
char *trace_write(struct trace_writer *writer, const char *place, bool from_osiris,
                  const struct frame_header *header, const uint8_t *message);

/* Reading. The input may be hostile. */

struct trace_record {
    double ms; /* since the start of the trace */
    const char *place;
    bool from_osiris;
    int64_t sequence, message_bytes, body_bytes;
    json_object *message; /* NULL: it was too long to keep */
    bool is_end;          /* not a frame: the trace has reached its maximum size */
    json_object *object;  /* owns everything above */
};

void trace_record_clear(struct trace_record *record);

struct trace_reader;

struct trace_reader *trace_reader_open(const char *path, struct osiris_error *error);
/* Borrows `bytes`. `name` is for messages. */
struct trace_reader *trace_reader_new(const char *name, const char *bytes, size_t length,
                                      struct osiris_error *error);
void trace_reader_free(struct trace_reader *reader);
/* The first line: {trace, version, run_id, …}. Borrowed. */
json_object *trace_reader_header(const struct trace_reader *reader);
/* 1: *record is filled (clear it), 0: the end, -1: a line is not a record (the error names it). */
int trace_reader_next(struct trace_reader *reader, struct trace_record *record,
                      struct osiris_error *error);
/* Restarts after the header. */
void trace_reader_rewind(struct trace_reader *reader);

/* "local > 2 request req_2 prepare, 1234 bytes: {…}", without control characters. Free it; NULL: no memory. */
char *trace_describe(const struct trace_record *record);

#endif
