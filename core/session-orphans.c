/* Processes that drivers have left when their worker was killed; see session-state.h and orphans.h. */
#include <stdio.h>
#include <unistd.h>

#include "core/session-state.h"

#define TIMEOUT_MS 2000

bool session_adopt_orphans(struct session *session)
{
    bool before = orphans_adopt();

    orphans_list(&session->relatives);
    return before;
}

void session_release_orphans(struct session *session, bool before)
{
    orphans_release(before);
    orphans_clear(&session->relatives);
}

/* Adapters that reach other machines may leave helpers on purpose (a master of ssh connections), and the first process of a
 * container has everybody's orphans. */
void session_end_orphans(struct session *session)
{
    char text[96];

    if (session->has_remote || getpid() == 1)
        return;
    size_t count = orphans_end(&session->relatives, TIMEOUT_MS);
    if (count == 0)
        return;
    snprintf(text, sizeof text, "ended %zu process%s that drivers had left", count,
             count == 1 ? "" : "es");
    session_log(session, OSIRIS_WARNING, "worker", text);
}
