/* Killing processes that have lost their parents; see orphans.h. */
#include "core/base/orphans.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/clock.h"

/* Children of this process. */
struct children {
    pid_t *pids; /* owned */
    size_t count;
};

static bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* From /proc/PID/stat: the number after the state, which follows the name in parentheses. -1: the process has gone. */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512];
    int parent = -1;

    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && sscanf(end + 1, " %*c %d", &parent) == 1 ? (pid_t)parent : -1;
}

static void add(struct children *list, pid_t pid)
{
    pid_t *grown = reallocarray(list->pids, list->count + 1, sizeof *grown);

    if (grown == NULL)
        return;
    list->pids = grown;
    grown[list->count++] = pid;
}

/* The current ones; empty if there are none, or out of memory. */
static void list_children(struct children *list)
{
    const pid_t self = getpid();

    *list = (struct children){0};
    if (!has_children())
        return;
    _cleanup_dir_ DIR *folder = opendir("/proc");
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == self)
            add(list, (pid_t)atoi(entry->d_name));
}

void orphans_adopt(struct adoption *before)
{
    struct children relatives;
    int adopted = 0;

    (void)prctl(PR_GET_CHILD_SUBREAPER, &adopted);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (before == NULL)
        return;
    list_children(&relatives);
    *before = (struct adoption){relatives.pids, relatives.count, adopted != 0};
}

void orphans_release(struct adoption *before)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, before->adopted);
    free(before->relatives);
    *before = (struct adoption){0};
}

static bool is_relative(const struct adoption *before, pid_t pid)
{
    for (size_t i = 0; before != NULL && i < before->count; i++)
        if (before->relatives[i] == pid)
            return true;
    return false;
}

/* The ones that remain after a round; *ended counts the others. */
static size_t kill_all(const struct children *children, const struct adoption *before, size_t *ended)
{
    size_t left = 0;

    for (size_t i = 0; i < children->count; i++) {
        if (is_relative(before, children->pids[i]))
            continue;
        (void)kill(children->pids[i], SIGKILL);
        if (waitpid(children->pids[i], NULL, WNOHANG) == children->pids[i])
            (*ended)++;
        /* Even if it has gone, its children may now be ours. */
        left++;
    }
    return left;
}

size_t orphans_end(const struct adoption *before, int timeout_ms)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    size_t ended = 0, left;

    do {
        struct children children;
        list_children(&children);
        left = kill_all(&children, before, &ended);
        free(children.pids);
        if (left > 0)
            (void)nanosleep(&moment, NULL);
    } while (left > 0 && clock_monotonic_ms() < deadline_ms);
    return ended;
}
