/* Counts what this program allocates and copies, by standing before the C library's functions; see rpc.h. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rpc.h"

#define COUNTED_COPY 1024

/* glibc's own names of what is wrapped. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_uint_fast64_t allocations, copied;
static void *(*real_memmove)(void *to, const void *from, size_t length);

/* Libraries are to find them, too. */
#define SEEN __attribute__((visibility("default")))

static void count_one(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

SEEN void *malloc(size_t size)
{
    count_one();
    return __libc_malloc(size);
}

SEEN void *calloc(size_t count, size_t size)
{
    count_one();
    return __libc_calloc(count, size);
}

SEEN void *realloc(void *memory, size_t size)
{
    count_one();
    return __libc_realloc(memory, size);
}

SEEN int posix_memalign(void **out, size_t alignment, size_t size)
{
    count_one();
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}

__attribute__((constructor)) static void find_real(void)
{
    void *found = dlsym(RTLD_NEXT, "memmove");

    memcpy(&real_memmove, &found, sizeof found);
}

/* What is called before find_real is short. */
static void move_bytes(unsigned char *to, const unsigned char *from, size_t length)
{
    if (to <= from)
        for (size_t i = 0; i < length; i++)
            to[i] = from[i];
    else
        for (size_t i = length; i-- > 0;)
            to[i] = from[i];
}

SEEN void *memmove(void *to, const void *from, size_t length)
{
    if (length >= COUNTED_COPY)
        atomic_fetch_add_explicit(&copied, length, memory_order_relaxed);
    if (real_memmove != NULL)
        return real_memmove(to, from, length);
    move_bytes(to, from, length);
    return to;
}

SEEN void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    return memmove(to, from, length);
}

uint64_t counted_allocations(void)
{
    return atomic_load(&allocations);
}

uint64_t counted_copied_bytes(void)
{
    return atomic_load(&copied);
}
