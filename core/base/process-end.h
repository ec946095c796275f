/* Ends this process, on any thread. Not with _exit, which osiris intercepts (orchestrator/adapter/exit.c). */
#ifndef OSIRIS_CORE_BASE_PROCESS_END_H
#define OSIRIS_CORE_BASE_PROCESS_END_H

#include <sys/syscall.h>
#include <unistd.h>

/* Nothing else is run or written. Async-signal-safe. */
_Noreturn static inline void process_end(int status)
{
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

#endif
