/*
 * starve: preloaded into a program (LD_PRELOAD), it makes chosen allocations of it and of its libraries fail, counted from 1.
 *
 *     STARVE_PROGRAM   the program that is meant; any other is left alone
 *     STARVE_AT        the first allocation that fails; 0 or unset: none, they are only counted
 *     STARVE_LAST      the last one that fails; unset: the first is the only one
 *     STARVE_SMALLEST  only allocations of so many bytes or more are meant, and counted
 *     STARVE_COUNT     a file of 8 bytes: how many allocations there have been, in the program and whatever it forks
 *     STARVE_TRACE     a file to which the first failure's call stack is appended, for whoever looks for its place
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* glibc's own, so that nothing has to be looked up (which allocates). */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Atomic uint64_t own_count, *count = &own_count;
static uint64_t first, last, smallest;
static const char *trace;
static int active;
static __thread int tracing;

static uint64_t number(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

__attribute__((constructor)) static void begin(void)
{
    const char *program = getenv("STARVE_PROGRAM"), *path = getenv("STARVE_COUNT");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        void *page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED)
            count = page;
        (void)close(fd);
    }
    first = number("STARVE_AT");
    last = number("STARVE_LAST");
    smallest = number("STARVE_SMALLEST");
    if (last < first)
        last = first;
    trace = getenv("STARVE_TRACE");
    active = program != NULL && strcmp(program, program_invocation_short_name) == 0;
    /* What the program starts is another matter. */
    (void)unsetenv("LD_PRELOAD");
}

static void write_trace(void)
{
    void *frames[40];
    int fd = open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    tracing = 1;
    backtrace_symbols_fd(frames, backtrace(frames, 40), fd);
    (void)!write(fd, "\n", 1);
    tracing = 0;
    (void)close(fd);
}

static int fails(size_t size)
{
    if (!active || tracing || size < smallest)
        return 0;
    uint64_t mine = atomic_fetch_add(count, 1) + 1;
    if (first == 0 || mine < first || mine > last)
        return 0;
    if (trace != NULL && mine == first)
        write_trace();
    errno = ENOMEM;
    return 1;
}

EXPORTED void *malloc(size_t size)
{
    return fails(size) ? NULL : __libc_malloc(size);
}

EXPORTED void *calloc(size_t items, size_t size)
{
    return fails(items * size) ? NULL : __libc_calloc(items, size);
}

EXPORTED void *realloc(void *old, size_t size)
{
    return fails(size) ? NULL : __libc_realloc(old, size);
}

EXPORTED void *memalign(size_t alignment, size_t size)
{
    return fails(size) ? NULL : __libc_memalign(alignment, size);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(size) ? NULL : __libc_memalign(alignment, size);
}

EXPORTED int posix_memalign(void **result, size_t alignment, size_t size)
{
    void *memory = fails(size) ? NULL : __libc_memalign(alignment, size);

    if (memory == NULL)
        return ENOMEM;
    *result = memory;
    return 0;
}
