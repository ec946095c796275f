/* OSIRIS_RPC_DEBUG: every frame of a place goes into the run's debug.log and into its trace; see trace.h. */
#include "orchestrator/session/state.h"
#include "orchestrator/records/trace.h"

/* channel_trace. The lock of the channel is held. */
static void on_frame(void *context, bool sent, const struct frame_header *header,
                     const uint8_t *message, const struct iovec *body, size_t body_pieces)
{
    const struct session_place *place = context;
    const struct session_options *options = place->session->options;
    _cleanup_free_ char *line = trace_write(options->trace, place->name, sent, header, message);

    (void)body;
    (void)body_pieces;
    if (line != NULL)
        rundir_log(options->rundir, OSIRIS_DEBUG, "rpc", line);
}

void place_trace(struct session_place *place)
{
    if (place->session->options->trace != NULL)
        channel_set_trace(place->channel, on_frame, place);
}
