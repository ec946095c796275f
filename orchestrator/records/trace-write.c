/* Traces: masking and writing; see trace.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/wire/message.h"
#include "orchestrator/records/trace.h"
#include "orchestrator/base/redact-message.h"

#define AS_LINE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

struct trace_writer {
    char *path;
    int fd;
    struct redactor *redactor; /* borrowed */
    int64_t started_ns;
    size_t written;
    bool full;
    struct osiris_error failure; /* the first */
};

/* Masking. */

static json_object *mask_all(json_object *value)
{
    json_object *masked;

    if (json_object_is_type(value, json_type_object)) {
        masked = json_object_new_object();
        json_object_object_foreach(value, key, member)
        {
            json_add(masked, key, mask_all(member));
        }
        return masked;
    }
    if (json_object_is_type(value, json_type_array)) {
        masked = json_object_new_array();
        for (size_t i = 0; i < json_array_count(value); i++)
            json_append(masked, mask_all(json_object_array_get_idx(value, i)));
        return masked;
    }
    return json_string(REDACT_MASK);
}

/* `prepare` does not say which of its values are secret, so none is kept. */
static void mask_prepare(json_object *message)
{
    static const char *const secret[] = {"connections", "secrets", "environment"};
    json_object *params = json_member(message, "params");

    if (strcmp(json_member_string(message, "method", ""), "prepare") != 0)
        return;
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        json_object *value = json_member(params, secret[i]);
        if (value != NULL)
            json_add(params, secret[i], mask_all(value));
    }
}

/* NULL: not a message, or out of memory. */
static json_object *masked_message(struct redactor *redactor, const uint8_t *message, size_t length)
{
    _cleanup_json_ json_object *decoded = message_decode(message, length, NULL);

    if (decoded == NULL)
        return NULL;
    mask_prepare(decoded);
    return redactor_message(redactor, decoded);
}

/* Writing. */

/* Nothing follows: the incomplete line is removed. */
static void end_at_failure(struct trace_writer *writer)
{
    osiris_error_set_errno(&writer->failure, errno, "cannot write \"%s\"", writer->path);
    (void)!ftruncate(writer->fd, (off_t)writer->written);
}

static void append(struct trace_writer *writer, json_object *object)
{
    size_t length;
    const char *text = json_text(object, AS_LINE, &length);

    if (writer->failure.category != 0)
        return;
    if (write_fully(writer->fd, text, length) < 0 || write_fully(writer->fd, "\n", 1) < 0)
        end_at_failure(writer);
    else
        writer->written += length + 1;
}

static void append_header(struct trace_writer *writer, const struct trace_options *options)
{
    char now[CLOCK_TIMESTAMP_SIZE];
    _cleanup_json_ json_object *header = json_object_new_object();
    _cleanup_free_ char *pipeline =
        options->pipeline == NULL ? NULL : redactor_text(options->redactor, options->pipeline, strlen(options->pipeline));

    clock_timestamp(now);
    json_add_string(header, "trace", "osiris-rpc");
    json_add_integer(header, "version", TRACE_VERSION);
    json_add_string(header, "run_id", options->run_id);
    json_add_string(header, "osiris", options->version);
    json_add_string(header, "started", now);
    json_add_string(header, "pipeline", pipeline);
    json_add_string(header, "profile", options->profile);
    append(writer, header);
}

/* Nobody else may read it, even if an earlier file of that name was readable. */
static int open_private(const char *path, struct osiris_error *error)
{
    _cleanup_close_ int fd =
        open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return osiris_error_set_errno(error, errno, "cannot write the trace \"%s\"", path);
    if (!S_ISREG(status.st_mode))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "cannot write the trace \"%s\": it is not a regular file", path);
    if (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)
        return osiris_error_set_errno(error, errno, "cannot write the trace \"%s\"", path);
    return steal_fd(&fd);
}

struct trace_writer *trace_writer_open(const struct trace_options *options,
                                       struct osiris_error *error)
{
    struct trace_writer *writer = calloc(1, sizeof *writer);

    writer->path = strdup(options->path);
    writer->redactor = options->redactor;
    writer->started_ns = clock_monotonic_ns();
    writer->fd = open_private(options->path, error);
    if (writer->fd < 0) {
        free(writer->path);
        free(writer);
        return NULL;
    }
    append_header(writer, options);
    return writer;
}

int trace_writer_close(struct trace_writer *writer, struct osiris_error *error)
{
    int result = 0;

    if (writer == NULL)
        return 0;
    if (writer->failure.category != 0) {
        osiris_error_move(error, &writer->failure);
        result = -1;
    }
    osiris_error_clear(&writer->failure);
    cleanup_close_value(&writer->fd);
    free(writer->path);
    free(writer);
    return result;
}

/* Microseconds suffice. */
static void add_time(json_object *object, double ms)
{
    char text[32];

    snprintf(text, sizeof text, "%.3f", ms);
    json_add(object, "ms", json_object_new_double_s(ms, text));
}

static void append_record(struct trace_writer *writer, json_object *object)
{
    size_t length;

    if (writer->full)
        return;
    (void)json_text(object, AS_LINE, &length);
    if (length > TRACE_RECORD_BYTES) {
        json_object_object_del(object, "message");
        length = TRACE_RECORD_BYTES; /* an upper bound, only to check whether there is room */
    }
    writer->full = writer->written + length + 1 > TRACE_FILE_BYTES;
    if (!writer->full) {
        append(writer, object);
        return;
    }
    _cleanup_json_ json_object *end = json_object_new_object();
    add_time(end, json_member_number(object, "ms", 0));
    json_add_boolean(end, "end", true);
    append(writer, end);
}

char *trace_write(struct trace_writer *writer, const char *place, bool from_osiris,
                  const struct frame_header *header, const uint8_t *message)
{
    struct trace_record record = {
        .ms = (double)((clock_monotonic_ns() - writer->started_ns) / 1000) / 1000,
        .place = place,
        .from_osiris = from_osiris,
        .sequence = (int64_t)header->sequence,
        .message_bytes = header->message_length,
        .body_bytes = header->body_length,
        .message = masked_message(writer->redactor, message, header->message_length),
    };
    _cleanup_json_ json_object *object = json_object_new_object();

    add_time(object, record.ms);
    json_add_string(object, "place", place);
    json_add_string(object, "from", from_osiris ? "osiris" : "worker");
    json_add_integer(object, "sequence", record.sequence);
    json_add_integer(object, "message_bytes", record.message_bytes);
    json_add_integer(object, "body_bytes", record.body_bytes);
    if (record.message != NULL)
        json_add(object, "message", json_object_get(record.message));
    append_record(writer, object);
    char *line = trace_describe(&record);
    json_object_put(record.message);
    return line;
}
