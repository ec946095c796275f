/*
 * malloc and related functions: they call the original ones, and end the process when a small allocation fails
 * (memory.h). They belong to the two programs, not to the library, so that other users of the library keep their own.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/memory.h"

#ifndef OSIRIS_SANITIZED

#define ALLOCATOR __attribute__((visibility("default")))

/* Looked up at the first call, when there is only one thread, and never changed. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
} next;

__attribute__((constructor)) static void find_next_allocator(void)
{
    if (next.malloc != NULL)
        return;
    *(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&next.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
}

static void *checked(void *memory, size_t size)
{
    if (memory == NULL && size > 0 && (size < MEMORY_SMALL || memory_is_insisting()))
        memory_exhausted();
    return memory;
}

ALLOCATOR void *malloc(size_t size)
{
    find_next_allocator();
    return checked(next.malloc(size), size);
}

ALLOCATOR void *calloc(size_t count, size_t size)
{
    size_t bytes;

    find_next_allocator();
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    return checked(next.calloc(count, size), bytes);
}

ALLOCATOR void *realloc(void *old, size_t size)
{
    find_next_allocator();
    return checked(next.realloc(old, size), size);
}

ALLOCATOR void *aligned_alloc(size_t alignment, size_t size)
{
    find_next_allocator();
    return checked(next.aligned_alloc(alignment, size), size);
}

ALLOCATOR int posix_memalign(void **result, size_t alignment, size_t size)
{
    find_next_allocator();
    int reason = next.posix_memalign(result, alignment, size);
    if (reason == ENOMEM)
        (void)checked(NULL, size);
    return reason;
}

#endif
