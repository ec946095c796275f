/* Messages from the worker to the orchestrator; see answer.h. */
#include "worker/answer.h"

#include "core/base/json-build.h"

/* The main thread notices a channel that is gone and ends the worker. If an answer cannot be sent, the channel is closed, so that the
 * orchestrator does not wait for it. */

static int send_answer(struct channel *channel, json_object *message, struct osiris_error *error)
{
    int result = channel_send_owed(channel, message, error);

    json_object_put(message);
    return result;
}

void answer_result(struct channel *channel, const char *request_id, json_object *result)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    json_object *message = json_object_new_object();

    json_add_string(message, "id", request_id);
    json_add(message, "result", result == NULL ? json_object_new_object() : result);
    /* If the result does not fit into a message, an error is sent instead, because the orchestrator is waiting. */
    if (send_answer(channel, message, &error) < 0) {
        osiris_error_prefix(&error, "its result cannot be sent");
        answer_error(channel, request_id, &error);
    }
}

/* Takes `error`. */
static void send_error(struct channel *channel, const char *request_id, json_object *error)
{
    json_object *message = json_object_new_object();
    _cleanup_error_ struct osiris_error failure = OSIRIS_ERROR_INIT;

    json_add_string(message, "id", request_id);
    json_add(message, "error", error);
    if (send_answer(channel, message, &failure) < 0)
        channel_fail(channel, "an answer", &failure);
}

void answer_error(struct channel *channel, const char *request_id,
                  const struct osiris_error *error)
{
    send_error(channel, request_id, osiris_error_to_json(error));
}

void answer_untouched(struct channel *channel, const char *request_id,
                      const struct osiris_error *error)
{
    json_object *object = osiris_error_to_json(error);

    json_add_boolean(object, "untouched", true);
    send_error(channel, request_id, object);
}

void answer_published(struct channel *channel, const char *request_id, json_object *published)
{
    json_object *message = json_object_new_object();
    json_object *data = json_object_new_object();
    _cleanup_error_ struct osiris_error failure = OSIRIS_ERROR_INIT;

    json_add_string(data, "id", request_id);
    json_add(data, "published", published);
    json_add_string(message, "type", "published");
    json_add(message, "data", data);
    if (send_answer(channel, message, &failure) < 0)
        channel_fail(channel, "what was published", &failure);
}

void answer_message(struct channel *channel, const char *type, json_object *data, bool wait)
{
    json_object *message = json_object_new_object();
    _cleanup_error_ struct osiris_error failure = OSIRIS_ERROR_INIT;

    json_add_string(message, "type", type);
    json_add(message, "data", data == NULL ? json_object_new_object() : data);
    /* One timeout is enough: later messages would also time out. */
    if (channel_send(channel, message, wait, &failure) < 0 && failure.category == OSIRIS_ERROR_TIMEOUT)
        channel_fail(channel, type, &failure);
    json_object_put(message);
}
