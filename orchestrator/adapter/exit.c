/*
 * _exit and _Exit of the osiris program: like the C library's, but an adapter cannot end the run with them silently
 * (guard.h). Not part of the library, and not of the worker, whose end osiris notices.
 */
#include <stdlib.h>
#include <unistd.h>

#include "orchestrator/adapter/guard.h"
#include "core/base/process-end.h"

#ifndef OSIRIS_SANITIZED

#define EXPORT __attribute__((visibility("default")))

EXPORT void _exit(int status)
{
    adapter_guard_meet_exit();
    process_end(status);
}

EXPORT void _Exit(int status)
{
    adapter_guard_meet_exit();
    process_end(status);
}

#endif
