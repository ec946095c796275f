/* Reading requests; see requests.h. */
#include "worker/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json-access.h"
#include "worker/fields.h"
#include "worker/run-plan.h"

#define LONGEST_TIMEOUT_MS 86400000

static bool has(json_object *message, const char *key)
{
    return json_object_object_get_ex(message, key, NULL);
}

bool request_read(struct request *request, json_object *message)
{
    *request = (struct request){.id = json_member_string(message, "id", NULL),
                                .method = json_member_string(message, "method", NULL),
                                .params = json_member(message, "params")};
    return has(message, "id") || has(message, "method");
}

/* hello, resume. */

/* A time that can be added to any other. */
static int64_t bounded_ms(struct fields *fields, const char *key)
{
    int64_t value = fields_optional_integer(fields, key, 0, 0);

    return value < LONGEST_TIMEOUT_MS ? value : LONGEST_TIMEOUT_MS;
}

int hello_read(struct hello_request *hello, json_object *params, struct osiris_error *error)
{
    struct fields fields = fields_of_params("hello", params, error);

    *hello = (struct hello_request){.protocol = fields_integer(&fields, "protocol", 0),
                                    .heartbeat_interval_ms = bounded_ms(&fields, "heartbeat_interval_ms"),
                                    .heartbeat_timeout_ms = bounded_ms(&fields, "heartbeat_timeout_ms"),
                                    .resume_timeout_ms = bounded_ms(&fields, "resume_timeout_ms"),
                                    .params = params};
    return fields_end(&fields);
}

void greeting_read(struct greeting *greeting, json_object *message)
{
    bool resumes = strcmp(json_member_string(message, "type", ""), "resume") == 0;
    json_object *data = json_member(message, resumes ? "data" : "params");

    *greeting = (struct greeting){.says_hello = strcmp(json_member_string(message, "method", ""), "hello") == 0,
                                  .resumes = resumes,
                                  .session = json_member_string(data, "session", ""),
                                  .token = json_member_string(data, "token", ""),
                                  .received = json_member_integer(data, "received", -1),
                                  .data = data};
}

/* execute_step. */

static void read_stream(struct fields *fields, const char *input, bool required, struct requested_stream *stream)
{
    stream->input = input;
    stream->edge = (size_t)fields_integer(fields, "edge", 0);
    stream->stream = required ? fields_integer(fields, "stream", 1) : fields_optional_integer(fields, "stream", 1, 0);
    stream->queue_bytes = fields_optional_integer(fields, "queue_bytes", 1, 0);
    if (stream->queue_bytes > LARGEST_QUEUE_BYTES)
        stream->queue_bytes = LARGEST_QUEUE_BYTES;
    stream->codecs = fields_optional_list(fields, "compression");
    for (size_t i = 0; i < json_array_count(stream->codecs); i++)
        (void)fields_text_of(fields, "compression", i, json_object_array_get_idx(stream->codecs, i));
}

static void read_streams(struct execute_request *execute, struct fields *params)
{
    json_object *inputs = fields_optional_map(params, "inputs"), *outputs = fields_optional_list(params, "outputs");
    size_t input_count = inputs == NULL ? 0 : (size_t)json_object_object_length(inputs);

    execute->streams = fields_array(params, input_count + json_array_count(outputs), sizeof *execute->streams);
    if (execute->streams == NULL)
        return;
    for (size_t i = 0; i < json_array_count(outputs); i++) {
        struct fields fields = fields_of_element(params, "outputs", i, json_object_array_get_idx(outputs, i));
        read_stream(&fields, NULL, true, &execute->streams[execute->stream_count++]);
        fields_join(params, &fields);
    }
    if (inputs == NULL)
        return;
    json_object_object_foreach(inputs, name, input)
    {
        struct fields fields = fields_of_value(params, "inputs", name, input);
        read_stream(&fields, name, false, &execute->streams[execute->stream_count++]);
        fields_join(params, &fields);
    }
}

int execute_read(struct execute_request *execute, json_object *params, struct osiris_error *error)
{
    struct fields fields = fields_of_params("execute_step", params, error);

    *execute = (struct execute_request){.step_id = fields_string(&fields, "step_id"),
                                        .verb = fields_optional_string(&fields, "verb", "run"),
                                        .config = fields_map(&fields, "config")};
    read_streams(execute, &fields);
    return fields_end(&fields);
}

void execute_clear(struct execute_request *execute)
{
    free(execute->streams);
    execute->streams = NULL;
}

/* commit, abort, cancel. */

/* Each once: what is waited for is counted. */
static void read_ids(struct steps_request *steps, struct fields *fields, json_object *list)
{
    _cleanup_json_ json_object *seen = json_object_new_object();
    char key[64];

    steps->ids = fields_array(fields, json_array_count(list), sizeof *steps->ids);
    for (size_t i = 0; steps->ids != NULL && i < json_array_count(list); i++) {
        const char *id = fields_text_of(fields, "step_ids", i, json_object_array_get_idx(list, i));
        snprintf(key, sizeof key, "step_ids[%zu]", i);
        if (has(seen, id))
            fields_refuse(fields, key, "was named before");
        json_object_object_add(seen, id, NULL);
        steps->ids[steps->count++] = id;
    }
}

static enum commit_phase read_phase(struct fields *fields)
{
    const char *phase = fields_optional_string(fields, "phase", NULL);

    if (phase == NULL)
        return COMMIT_BOTH;
    if (strcmp(phase, "commit") == 0)
        return COMMIT_ONLY;
    if (strcmp(phase, "publish") != 0)
        fields_refuse(fields, "phase", "is neither commit nor publish");
    return COMMIT_PUBLISH;
}

int commit_read(struct steps_request *steps, json_object *params, struct osiris_error *error)
{
    struct fields fields = fields_of_params("commit", params, error);

    *steps = (struct steps_request){.phase = read_phase(&fields)};
    read_ids(steps, &fields, fields_list(&fields, "step_ids"));
    return fields_end(&fields);
}

int abort_read(struct steps_request *steps, json_object *params, struct osiris_error *error)
{
    struct fields fields = fields_of_params("abort", params, error);

    *steps = (struct steps_request){.because = fields_optional_string(&fields, "because", NULL)};
    read_ids(steps, &fields, fields_list(&fields, "step_ids"));
    return fields_end(&fields);
}

int cancel_read(struct steps_request *steps, json_object *params, struct osiris_error *error)
{
    struct fields fields = fields_of_params("cancel", params, error);
    json_object *list = fields_optional_list(&fields, "step_ids");

    *steps = (struct steps_request){.all = list == NULL};
    read_ids(steps, &fields, list);
    return fields_end(&fields);
}

void steps_clear(struct steps_request *steps)
{
    free(steps->ids);
    steps->ids = NULL;
}

/* Messages of streams. */

void stream_message_read(struct stream_message *read, json_object *message)
{
    static const char *const names[] = {
        [STREAM_SCHEMA] = "schema", [STREAM_BATCH] = "batch",   [STREAM_MORE] = "more",
        [STREAM_END] = "end",       [STREAM_CREDIT] = "credit", [STREAM_CLOSE] = "close",
    };
    const char *type = json_member_string(message, "type", "");
    json_object *data = json_member(message, "data");
    size_t i = 0;

    while (i < STREAM_NONE && strcmp(names[i], type) != 0)
        i++;
    *read = (struct stream_message){.type = (enum stream_message_type)i, .name = type, .data = data};
    if (i == STREAM_NONE)
        return;
    read->stream = json_member_integer(data, "stream", 0);
    if (i == STREAM_CREDIT)
        read->bytes = json_member_integer(data, "bytes", 0);
}
