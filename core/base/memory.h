/*
 * Memory. One rule in both programs: when an allocation below MEMORY_SMALL fails, whoever requests it (our own code, a library,
 * a driver), the process ends with one line, "out of memory", and exit status 1. The other side reports that like any other
 * end. So small objects are allocated without a check. Allocations sized by data or by a peer may be larger: they
 * return NULL, are checked, and cause errors.
 *
 * The programs define malloc and related functions for this (allocator.c) and pass every call on to the allocator that would
 * have been called otherwise (the C library's, or a preloaded one). Sanitizers' allocators end the process themselves.
 */
#ifndef OSIRIS_CORE_BASE_MEMORY_H
#define OSIRIS_CORE_BASE_MEMORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define MEMORY_SMALL ((size_t)64 << 10)

/* Prints the line and ends the process, without allocating. A program may define its own, which prints more. */
_Noreturn void memory_exhausted(void);
/* Returns on the first thread that runs out of memory; the others wait for the end. */
void memory_wait_unless_first(void);

/* Between the two, on this thread, no allocation may fail, whatever its size: for calls of libraries that would
 * continue with a wrong value. They nest. */
void memory_insist(void);
void memory_insist_no_more(void);
bool memory_is_insisting(void);

/* Like asprintf and vasprintf, but no allocation may fail, whatever its size. */
__attribute__((format(printf, 1, 2))) char *memory_format(const char *format, ...);
__attribute__((format(printf, 1, 0))) char *memory_vformat(const char *format, va_list arguments);

#endif
