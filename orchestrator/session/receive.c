/* Receiving from workers; see receive.h. */
#include "orchestrator/session/receive.h"

#include <poll.h>

#include "core/base/clock.h"
#include "orchestrator/session/messages.h"
#include "orchestrator/session/streams.h"
#include "orchestrator/session/worker.h"

#define BODIES_A_POLL 8 /* received before other workers get their turn */

static void note_activity(struct session_worker *worker)
{
    worker->last_received_ms = clock_monotonic_ms();
    worker->heard_in_phase = true;
    /* While a body arrives, nothing else of the worker's streams can. */
    if (worker->takes_body)
        session_extend_streams(worker, worker->last_received_ms);
}

void worker_receive(struct session_worker *worker, short revents)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    bool end = false;
    int pumped = channel_pump_ready(worker->channel, revents, &end, &error), bodies = 1;

    /* Messages that arrived before the end or an error still count. */
    while (worker_is_reachable(worker)) {
        struct osiris_error violation = OSIRIS_ERROR_INIT;
        size_t body_length;
        _cleanup_json_ json_object *message =
            channel_receive_body(worker->channel, &body_length, &violation);
        if (message != NULL) {
            if (body_length > 0)
                worker->takes_body = false;
            worker_handle(worker, message, body_length);
            continue;
        }
        if (violation.category != 0) {
            worker_fail(worker, &violation);
            break;
        }
        if (pumped <= 0 || end || bodies++ == BODIES_A_POLL || !channel_goes_on(worker->channel))
            break;
        pumped = channel_pump_ready(worker->channel, POLLIN, &end, &error);
    }
    /* Only the first failure of a worker is recorded. */
    if (pumped < 0)
        worker_fail(worker, &error);
    else if (end)
        worker_fail_with(worker, OSIRIS_ERROR_INTERNAL, "it closed its channel");
    else if (worker_is_reachable(worker) && channel_was_active(worker->channel))
        note_activity(worker);
    osiris_error_clear(&error);
}
