/*
 * The windows of streams: how much a producer may send before its reader has taken it. What is on its way to a remote place and what the
 * reader has taken but not reported yet are part of it, so a window of 1 MiB carries 1 MiB in a round trip. Between local places that is
 * enough. Where one of the ends is remote, all streams together get as much as a link of 400 MiB/s carries in the round trip that was
 * measured, from 8 to 32 MiB, in equal shares. Every process that handles the streams may have to hold as much.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_WINDOWS_H
#define OSIRIS_ORCHESTRATOR_SESSION_WINDOWS_H

#include "orchestrator/session/state.h"

int64_t session_window(const struct session *session, size_t edge);

#endif
