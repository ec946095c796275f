/* Processes that drivers have left; see orphans.h. */
#include "orchestrator/session/orphans.h"

#include <stdio.h>
#include <unistd.h>

#include "orchestrator/session/notes.h"

#define TIMEOUT_MS 2000

/* Adapters that reach other machines may leave helpers on purpose (a master of ssh connections), and the first process of a
 * container has everybody's orphans. */
void session_end_orphans(struct session *session)
{
    char text[96];

    if (session->has_remote || getpid() == 1)
        return;
    size_t count = orphans_end(&session->adoption, TIMEOUT_MS);
    if (count == 0)
        return;
    snprintf(text, sizeof text, "ended %zu process%s that drivers had left", count,
             count == 1 ? "" : "es");
    session_log(session, OSIRIS_WARNING, "worker", text);
}
