/* Processes that drivers have left behind; see orphans.h. */
#include "orchestrator/session/orphans.h"

#include <stdio.h>
#include <unistd.h>

#include "orchestrator/session/notes.h"

#define TIMEOUT_MS 2000

/* Adapters of remote places may leave processes running on purpose (for example, an ssh master connection), and the first process of
 * a container adopts orphans of all others. */
void session_end_orphans(struct session *session)
{
    char text[96];

    if (session->has_remote || getpid() == 1)
        return;
    size_t count = orphans_end(&session->adoption, TIMEOUT_MS);
    if (count == 0)
        return;
    snprintf(text, sizeof text, "ended %zu process%s that drivers had left behind", count,
             count == 1 ? "" : "es");
    session_log(session, OSIRIS_WARNING, "worker", text);
}
