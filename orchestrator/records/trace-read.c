/* Traces: reading and printing; see trace.h. */
#include <stdio.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "core/base/buffer.h"
#include "core/base/json-access.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "core/wire/message.h"
#include "orchestrator/base/terminal.h"
#include "orchestrator/records/trace.h"

/* A message's levels, and those that the record puts around it. */
#define RECORD_DEPTH (MESSAGE_MAXIMUM_DEPTH + 2)
/* The end record is beyond the limit, and other writers may differ a little. */
#define READ_FILE_BYTES (TRACE_FILE_BYTES + 2 * TRACE_RECORD_BYTES)

struct trace_reader {
    char *name;
    char *owned; /* the bytes, or NULL: borrowed */
    const char *bytes;
    size_t length, offset, first_offset;
    unsigned long line;
    json_object *header;
};

void trace_record_clear(struct trace_record *record)
{
    json_object_put(record->object);
    *record = (struct trace_record){0};
}

/* The next line as an object; NULL with the error set, or without at the end. */
static json_object *next_object(struct trace_reader *reader, struct osiris_error *error)
{
    if (reader->offset >= reader->length)
        return NULL;
    const char *text = reader->bytes + reader->offset;
    size_t left = reader->length - reader->offset;
    const char *newline = memchr(text, '\n', left);
    size_t length = newline == NULL ? left : (size_t)(newline - text);
    struct json_tokener *tokener = json_tokener_new_ex(RECORD_DEPTH);
    json_object *object = NULL;

    reader->line++;
    reader->offset += length + (newline != NULL);
    if (length <= 2 * TRACE_RECORD_BYTES) {
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        memory_insist();
        object = json_tokener_parse_ex(tokener, text, (int)length);
        memory_insist_no_more();
        if (json_tokener_get_error(tokener) != json_tokener_success ||
            json_tokener_get_parse_end(tokener) != length) {
            json_object_put(object);
            object = NULL;
        }
    }
    json_tokener_free(tokener);
    if (json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    osiris_error_set(error, OSIRIS_ERROR_DATA, "%s:%lu: not a line of a trace", reader->name,
                     reader->line);
    return NULL;
}

static int read_header(struct trace_reader *reader, struct osiris_error *error)
{
    reader->header = next_object(reader, NULL);
    if (strcmp(json_member_string(reader->header, "trace", ""), "osiris-rpc") != 0)
        return osiris_error_set(error, OSIRIS_ERROR_DATA, "%s is not a trace of osiris",
                                reader->name);
    int64_t version = json_member_integer(reader->header, "version", -1);
    if (version != TRACE_VERSION)
        return osiris_error_set(error, OSIRIS_ERROR_DATA,
                                "%s is a trace of version %lld, and this osiris reads version %d", reader->name,
                                (long long)version, TRACE_VERSION);
    reader->first_offset = reader->offset;
    return 0;
}

struct trace_reader *trace_reader_new(const char *name, const char *bytes, size_t length,
                                      struct osiris_error *error)
{
    struct trace_reader *reader = calloc(1, sizeof *reader);

    reader->name = strdup(name);
    reader->bytes = bytes;
    reader->length = length;
    if (read_header(reader, error) == 0)
        return reader;
    trace_reader_free(reader);
    return NULL;
}

struct trace_reader *trace_reader_open(const char *path, struct osiris_error *error)
{
    size_t length;
    char *bytes = read_whole_file(path, READ_FILE_BYTES, &length, error);

    if (bytes == NULL)
        return NULL;
    struct trace_reader *reader = trace_reader_new(path, bytes, length, error);
    if (reader == NULL)
        free(bytes);
    else
        reader->owned = bytes;
    return reader;
}

void trace_reader_free(struct trace_reader *reader)
{
    if (reader == NULL)
        return;
    json_object_put(reader->header);
    free(reader->owned);
    free(reader->name);
    free(reader);
}

json_object *trace_reader_header(const struct trace_reader *reader)
{
    return reader->header;
}

void trace_reader_rewind(struct trace_reader *reader)
{
    reader->offset = reader->first_offset;
    reader->line = 1;
}

static bool fill_record(struct trace_record *record, json_object *object)
{
    const char *from = json_member_string(object, "from", "");

    *record = (struct trace_record){
        .ms = json_member_number(object, "ms", -1),
        .place = json_member_string(object, "place", NULL),
        .from_osiris = strcmp(from, "osiris") == 0,
        .sequence = json_member_integer(object, "sequence", -1),
        .message_bytes = json_member_integer(object, "message_bytes", -1),
        .body_bytes = json_member_integer(object, "body_bytes", -1),
        .message = json_member(object, "message"),
        .is_end = json_member_boolean(object, "end", false),
        .object = object,
    };
    if (record->is_end)
        return true;
    return record->ms >= 0 && record->place != NULL &&
           (record->from_osiris || strcmp(from, "worker") == 0) && record->sequence >= 0 &&
           record->message_bytes > 0 && record->message_bytes <= FRAME_MAXIMUM_MESSAGE &&
           record->body_bytes >= 0 && record->body_bytes <= FRAME_MAXIMUM_BODY &&
           (record->message == NULL || json_object_is_type(record->message, json_type_object));
}

int trace_reader_next(struct trace_reader *reader, struct trace_record *record,
                      struct osiris_error *error)
{
    _cleanup_error_ struct osiris_error wrong = OSIRIS_ERROR_INIT;
    json_object *object = next_object(reader, &wrong);

    *record = (struct trace_record){0};
    if (object == NULL && wrong.category == 0)
        return 0;
    if (object != NULL && fill_record(record, object))
        return 1;
    if (object != NULL)
        osiris_error_set(&wrong, OSIRIS_ERROR_DATA, "%s:%lu: not a frame of a trace",
                         reader->name, reader->line);
    json_object_put(object);
    *record = (struct trace_record){0};
    osiris_error_move(error, &wrong);
    return -1;
}

/* Printing. */

/* For people (terminal.h). */
static void append_plain(struct buffer *line, const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end) {
        bool harmless;
        size_t bytes = terminal_character(text, end, &harmless);
        buffer_append(line, harmless ? text : "?", harmless ? bytes : 1);
        text += bytes;
    }
}

static void append_message(struct buffer *line, json_object *message)
{
    size_t length;
    const char *text = json_text(
        message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    size_t shown = length;

    if (shown > TRACE_LINE_BYTES) {
        shown = TRACE_LINE_BYTES;
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
            shown--;
    }
    buffer_append_text(line, ": ");
    append_plain(line, text, shown);
    if (shown < length)
        buffer_append_text(line, "…");
}

/* "request req_2 prepare", "response req_2", "event step_start", "batch" */
static void append_kind(struct buffer *line, json_object *message)
{
    const char *id = json_member_string(message, "id", NULL);
    const char *method = json_member_string(message, "method", NULL);
    const char *words[3] = {"message", NULL, NULL};

    if (id != NULL) {
        words[0] = method != NULL                            ? "request"
                   : json_member(message, "error") != NULL ? "error response"
                                                             : "response";
        words[1] = id;
        words[2] = method;
    } else if (message != NULL) {
        words[0] = json_member_string(message, "type", "message");
        words[1] = json_member_string(json_member(message, "data"), "event", NULL);
    }
    for (int i = 0; i < 3 && words[i] != NULL; i++) {
        buffer_append_char(line, ' ');
        append_plain(line, words[i], strlen(words[i]));
    }
}

char *trace_describe(const struct trace_record *record)
{
    _cleanup_buffer_ struct buffer line = BUFFER_INIT(8 * TRACE_RECORD_BYTES);

    if (record->is_end)
        return strdup("the trace has reached its maximum size");
    append_plain(&line, record->place, strlen(record->place));
    buffer_append_format(&line, " %c %lld", record->from_osiris ? '>' : '<',
                         (long long)record->sequence);
    append_kind(&line, record->message);
    buffer_append_format(&line, ", %lld byte%s", (long long)record->message_bytes, record->message_bytes == 1 ? "" : "s");
    if (record->body_bytes > 0)
        buffer_append_format(&line, " and %lld of data", (long long)record->body_bytes);
    if (record->message != NULL)
        append_message(&line, record->message);
    else
        buffer_append_text(&line, ", not kept");
    return buffer_steal(&line);
}
