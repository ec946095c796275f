/*
 * OSIRIS_RPC_DEBUG: whether the frames between osiris and its workers are traced, and where.
 *
 *     true, 1, yes, on            rpc.trace in the run's directory
 *     a path (with a slash) of a folder   RUN-ID.trace in it; of anything else   that file
 *     false, 0, no, off, empty    nowhere
 */
#ifndef OSIRIS_CLI_RPC_DEBUG_H
#define OSIRIS_CLI_RPC_DEBUG_H

#include "orchestrator/records/trace.h"

/* -1: the variable has another value. */
int rpc_debug_check(struct osiris_error *error);
/* The trace's path (free it); NULL: no trace. */
char *rpc_debug_path(const char *run_dir, const char *run_id);

#endif
