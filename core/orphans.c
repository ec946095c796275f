/* Killing processes that have lost their parents; see orphans.h. */
#include "core/orphans.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cleanup.h"
#include "core/clock.h"

bool orphans_adopt(void)
{
    int before = 0;

    (void)prctl(PR_GET_CHILD_SUBREAPER, &before);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return before != 0;
}

void orphans_release(bool before)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, before);
}

static bool has_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Of /proc/PID/stat: the number behind the state, which is behind the name, which is in parentheses. -1: it is gone. */
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

static void add(struct orphans *list, pid_t pid)
{
    pid_t *grown = reallocarray(list->pids, list->count + 1, sizeof *grown);

    if (grown == NULL)
        return;
    list->pids = grown;
    grown[list->count++] = pid;
}

void orphans_list(struct orphans *list)
{
    const pid_t self = getpid();

    *list = (struct orphans){0};
    if (!has_children())
        return;
    _cleanup_dir_ DIR *folder = opendir("/proc");
    for (struct dirent *entry = folder == NULL ? NULL : readdir(folder); entry != NULL;
         entry = readdir(folder))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == self)
            add(list, (pid_t)atoi(entry->d_name));
}

void orphans_clear(struct orphans *list)
{
    free(list->pids);
    *list = (struct orphans){0};
}

static bool contains(const struct orphans *list, pid_t pid)
{
    for (size_t i = 0; list != NULL && i < list->count; i++)
        if (list->pids[i] == pid)
            return true;
    return false;
}

/* Those that are left of one round; *ended counts those that are not. */
static size_t kill_all(const struct orphans *children, const struct orphans *except, size_t *ended)
{
    size_t left = 0;

    for (size_t i = 0; i < children->count; i++) {
        if (contains(except, children->pids[i]))
            continue;
        (void)kill(children->pids[i], SIGKILL);
        if (waitpid(children->pids[i], NULL, WNOHANG) == children->pids[i])
            (*ended)++;
        /* Also if it is gone: its own children may be ours from now on. */
        left++;
    }
    return left;
}

size_t orphans_end(const struct orphans *except, int timeout_ms)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    size_t ended = 0, left;

    do {
        struct orphans children;
        orphans_list(&children);
        left = kill_all(&children, except, &ended);
        orphans_clear(&children);
        if (left > 0)
            (void)nanosleep(&moment, NULL);
    } while (left > 0 && clock_monotonic_ms() < deadline_ms);
    return ended;
}
