/* The windows of streams; see windows.h. */
#include "orchestrator/session/windows.h"

#define LEAST_BYTES ((int64_t)8 << 20)
#define MOST_BYTES ((int64_t)32 << 20)
#define BYTES_A_MS ((int64_t)(400 << 20) / 1000)

/* 0: both ends are local. */
static int64_t round_trip_ns(const struct session *session, const struct session_edge *edge)
{
    const struct session_worker *ends[] = {session->steps[edge->from].worker, session->steps[edge->to].worker};
    int64_t sum = 0;

    for (size_t i = 0; i < 2; i++)
        sum += ends[i]->remote ? ends[i]->round_trip_ns : 0;
    return sum;
}

static size_t count_remote(const struct session *session)
{
    size_t count = 0;

    for (size_t i = 0; i < session->plan->edge_count; i++)
        count += session->edges[i].crosses && round_trip_ns(session, &session->edges[i]) > 0;
    return count;
}

int64_t session_window(const struct session *session, size_t edge)
{
    int64_t trip_ns = round_trip_ns(session, &session->edges[edge]);

    if (trip_ns == 0)
        return session->limits.queue_bytes;
    int64_t all = trip_ns / 1000000 > MOST_BYTES / BYTES_A_MS ? MOST_BYTES : trip_ns / 1000 * BYTES_A_MS / 1000;
    if (all < LEAST_BYTES)
        all = LEAST_BYTES;
    int64_t share = all / (int64_t)count_remote(session);
    return share < session->limits.queue_bytes ? session->limits.queue_bytes : share;
}
