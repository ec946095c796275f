/* What becomes of a process without memory; see memory.h. */
#include "core/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/process-end.h"

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

__attribute__((weak)) void memory_exhausted(void)
{
    static const char line[] = ": out of memory\n";

    (void)!write(STDERR_FILENO, program_invocation_short_name, strlen(program_invocation_short_name));
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    process_end(1);
}
