/*
 * Memory. One rule in both programs: an allocation below MEMORY_SMALL that fails, whoever asks for it (our own code, a library,
 * a driver), ends the process with one line, "out of memory", and exit status 1. The other side reports that as it reports any
 * end. So small things are allocated without a check. What is sized by data or by a peer may be larger: those
 * allocations return NULL, are checked, and are errors.
 *
 * It holds because the programs define malloc and its kin themselves (allocator.c), and pass every call on to the allocator that would
 * have been called otherwise (the C library's, or a preloaded one). Sanitizers' allocators end the process themselves.
 */
#ifndef OSIRIS_CORE_BASE_MEMORY_H
#define OSIRIS_CORE_BASE_MEMORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define MEMORY_SMALL ((size_t)64 << 10)

/* Says so and ends the process; needs no memory. A program may have one of its own, which says more. */
_Noreturn void memory_exhausted(void);
/* Returns on the first thread that has run out; the others wait for the end. */
void memory_wait_unless_first(void);

/* Between the two, on this thread, no allocation may fail, whatever its size: around calls of libraries that go on with a wrong
 * value then. They nest. */
void memory_insist(void);
void memory_insist_no_more(void);
bool memory_is_insisting(void);

/* asprintf and vasprintf, but that no allocation may fail, whatever the size. */
__attribute__((format(printf, 1, 2))) char *memory_format(const char *format, ...);
__attribute__((format(printf, 1, 0))) char *memory_vformat(const char *format, va_list arguments);

#endif
