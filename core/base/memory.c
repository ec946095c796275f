/* How a process ends when it is out of memory; see memory.h. */
#include "core/base/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>


/* The thread's depth of memory_insist. */
static __thread unsigned insisting;

void memory_insist(void)
{
    insisting++;
}

void memory_insist_no_more(void)
{
    insisting--;
}

bool memory_is_insisting(void)
{
    return insisting > 0;
}

char *memory_vformat(const char *format, va_list arguments)
{
    char *text;

    memory_insist();
    if (vasprintf(&text, format, arguments) < 0)
        memory_exhausted();
    memory_insist_no_more();
    return text;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *text = memory_vformat(format, arguments);
    va_end(arguments);
    return text;
}

void memory_wait_unless_first(void)
{
    static atomic_flag taken = ATOMIC_FLAG_INIT;

    /* Another thread is about to end the process. */
    while (atomic_flag_test_and_set(&taken))
        (void)pause();
}

__attribute__((weak)) void memory_exhausted(void)
{
    static const char rest[] = ": out of memory\n";
    const struct iovec line[] = {
        {.iov_base = program_invocation_short_name, .iov_len = strlen(program_invocation_short_name)},
        {.iov_base = (void *)(uintptr_t)rest, .iov_len = sizeof rest - 1}};

    memory_wait_unless_first();
    (void)!writev(STDERR_FILENO, line, 2);
    _exit(1);
}
