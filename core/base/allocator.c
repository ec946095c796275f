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

static void *first_malloc(size_t size);
static void *first_calloc(size_t count, size_t size);
static void *first_realloc(void *old, size_t size);
static void *first_aligned_alloc(size_t alignment, size_t size);
static int first_posix_memalign(void **result, size_t alignment, size_t size);

/* Looked up at the first call, when there is only one thread, and never changed: a call costs one jump more than without us. */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
} next = {first_malloc, first_calloc, first_realloc, first_aligned_alloc, first_posix_memalign};

__attribute__((constructor)) static void find_next_allocator(void)
{
    if (next.malloc != first_malloc)
        return;
    *(void **)&next.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&next.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next.malloc = dlsym(RTLD_NEXT, "malloc");
}

static void *first_malloc(size_t size)
{
    find_next_allocator();
    return next.malloc(size);
}

static void *first_calloc(size_t count, size_t size)
{
    find_next_allocator();
    return next.calloc(count, size);
}

static void *first_realloc(void *old, size_t size)
{
    find_next_allocator();
    return next.realloc(old, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size)
{
    find_next_allocator();
    return next.aligned_alloc(alignment, size);
}

static int first_posix_memalign(void **result, size_t alignment, size_t size)
{
    find_next_allocator();
    return next.posix_memalign(result, alignment, size);
}

/* There is no memory of that size. Returns if that is the caller's to handle. */
__attribute__((cold, noinline)) static void refuse(size_t size)
{
    if (size > 0 && (size < MEMORY_SMALL || memory_is_insisting()))
        memory_exhausted();
}

ALLOCATOR void *malloc(size_t size)
{
    void *memory = next.malloc(size);

    if (memory == NULL)
        refuse(size);
    return memory;
}

ALLOCATOR void *calloc(size_t count, size_t size)
{
    void *memory = next.calloc(count, size);
    size_t bytes;

    if (memory == NULL)
        refuse(__builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
    return memory;
}

ALLOCATOR void *realloc(void *old, size_t size)
{
    void *memory = next.realloc(old, size);

    if (memory == NULL)
        refuse(size);
    return memory;
}

ALLOCATOR void *aligned_alloc(size_t alignment, size_t size)
{
    void *memory = next.aligned_alloc(alignment, size);

    if (memory == NULL)
        refuse(size);
    return memory;
}

ALLOCATOR int posix_memalign(void **result, size_t alignment, size_t size)
{
    int reason = next.posix_memalign(result, alignment, size);

    if (reason == ENOMEM)
        refuse(size);
    return reason;
}

#endif
