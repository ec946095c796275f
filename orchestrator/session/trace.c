/* Tracing frames; see trace.h. */
#include "orchestrator/session/trace.h"

#include "orchestrator/records/trace.h"

/* A channel_trace function. The channel's lock is held. */
static void on_frame(void *context, bool sent, const struct frame_header *header,
                     const uint8_t *message, const struct iovec *body, size_t body_pieces)
{
    const struct session_worker *worker = context;
    const struct session_options *options = worker->place->session->options;
    _cleanup_free_ char *line = trace_write(options->trace, worker->place->name, sent, header, message);

    (void)body;
    (void)body_pieces;
    if (line != NULL)
        rundir_log(options->rundir, OSIRIS_DEBUG, "rpc", line);
}

void worker_trace(struct session_worker *worker)
{
    if (worker->place->session->options->trace != NULL)
        channel_set_trace(worker->channel, on_frame, worker);
}
