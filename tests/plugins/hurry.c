/*
 * hurry: preloaded into a program (LD_PRELOAD), it makes its monotonic clock run sixty times as fast, and its waits in poll end
 * accordingly: what is to happen after a minute can be seen after a second.
 */
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FACTOR 60
#define SECOND_NS 1000000000LL

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);

    if (result != 0 || clock != CLOCK_MONOTONIC)
        return result;
    /* From when the machine started on: the same in all calls, without a state. */
    long long sum = time->tv_nsec * (long long)FACTOR;
    time->tv_sec = time->tv_sec * FACTOR + (time_t)(sum / SECOND_NS);
    time->tv_nsec = (long)(sum % SECOND_NS);
    return 0;
}

EXPORTED int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    long long ns = timeout_ms * (SECOND_NS / 1000) / FACTOR;
    const struct timespec timeout = {.tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS)};

    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}
