/* Runs code of plug-ins in a child process; see guarded.h. */
#include "core/plugin/guarded.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/orphans.h"
#include "core/base/read-to-end.h"

#define STRAYS_TIMEOUT_MS 1000
#define NOT_SET_UP 125 /* the answer contains the reason */

static void be_child(guarded_work work, void *context, int answer) __attribute__((noreturn));

static void be_child(guarded_work work, void *context, int answer)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The output of a plug-in must not mix with the answers. */
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0) {
        char text[96];
        int length = snprintf(text, sizeof text, "cannot set up its process: %m");
        (void)!write(answer, text, (size_t)length);
        _exit(NOT_SET_UP);
    }
    _exit(work(context, answer) ? 0 : 1);
}

/* Processes that the child has left are now children of this process; but the first process of a container gets all orphans. */
static void end_strays(struct adoption *before)
{
    if (getpid() != 1)
        (void)orphans_end(before, STRAYS_TIMEOUT_MS);
    orphans_release(before);
}

char *guarded_run(guarded_work work, void *context, const char *doing, struct buffer *answer)
{
    struct adoption before;
    int pipes[2];
    int status = 0;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return memory_format("cannot start a process for it: %m");
    orphans_adopt(&before);
    pid_t child = fork();
    int number = errno;
    if (child == 0)
        be_child(work, context, pipes[1]);
    (void)close(pipes[1]);
    enum read_result answered =
        child < 0 ? READ_FAILED : read_to_end(pipes[0], clock_monotonic_ms() + GUARDED_TIMEOUT_MS, answer);
    int unread = answered == READ_FAILED ? errno : 0;
    (void)close(pipes[0]);
    if (child > 0 && answered != READ_WHOLE)
        (void)kill(child, SIGKILL);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    end_strays(&before);
    if (child < 0)
        return memory_format("cannot start a process for it: %s", strerror(number));
    if (answered == READ_LATE)
        return memory_format("timed out after %d s while %s", GUARDED_TIMEOUT_MS / 1000, doing);
    if (answered == READ_WHOLE && answer->length > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return NULL;
    if (unread != 0)
        return memory_format("cannot read the answer while %s: %s", doing, strerrordesc_np(unread));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_SET_UP && answer->length > 0)
        return buffer_steal(answer);
    if (WIFSIGNALED(status))
        return memory_format("killed by SIG%s while %s", sigabbrev_np(WTERMSIG(status)), doing);
    return memory_format("it ended the process with status %d while %s", WEXITSTATUS(status), doing);
}
