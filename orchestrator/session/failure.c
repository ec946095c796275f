/* The failure of the run; see failure.h. */
#include "orchestrator/session/failure.h"

void session_fail(struct session *session, struct osiris_error *error)
{
    if (session->failure.category == 0)
        osiris_error_move(&session->failure, error);
    osiris_error_clear(error);
    schedule_stop(session->schedule);
}
