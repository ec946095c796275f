/* Time in which a process does not run; see pause.h. */
#include "core/base/pause.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"

#define MINIMUM_MS 100 /* anything shorter is a busy machine */

void pause_expect(struct pause_watch *watch, int64_t now_ms, int64_t timeout_ms)
{
    watch->due_ms = now_ms + timeout_ms;
}

int64_t pause_take(struct pause_watch *watch, int64_t now_ms)
{
    int64_t pause = watch->due_ms == 0 ? 0 : now_ms - watch->due_ms;

    watch->due_ms = now_ms;
    return pause < MINIMUM_MS ? 0 : pause;
}

int64_t patience_next(struct patience *patience)
{
    int64_t now = clock_monotonic_ms();

    if (patience->slice_ms > 0) {
        int64_t taken = now - patience->began_ms;
        patience->left_ms -= taken < patience->slice_ms ? taken : patience->slice_ms;
    }
    patience->began_ms = now;
    patience->slice_ms = patience->left_ms < PAUSE_SLICE_MS ? patience->left_ms : PAUSE_SLICE_MS;
    if (patience->slice_ms < 0)
        patience->slice_ms = 0;
    return patience->slice_ms;
}

/* From /proc/PID/stat: what follows the name in parentheses. */
static char state_of(pid_t pid)
{
    char path[64], text[512];

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return '\0';
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

bool pause_has_peer(int socket)
{
    struct ucred peer = {0};
    socklen_t length = sizeof peer;

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid <= 0)
        return false;
    char state = state_of(peer.pid);
    return state == 'T' || state == 't';
}
