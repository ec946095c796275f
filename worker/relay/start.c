/* Starting a worker; see start.h. */
#include "worker/relay/start.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/clock.h"
#include "worker/relay/relay.h"

#define ENDS_MS 4000  /* a worker that has lost its keeper stops its drivers within 2 s */
#define KILLED_MS 3000

static bool is_gone(const struct folder *folder, int timeout_ms)
{
    const int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

    while (folder_is_alive(folder)) {
        if (clock_monotonic_ms() >= deadline_ms)
            return false;
        (void)nanosleep(&(const struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return true;
}

/* While the lock is held, its number is not another process's: it was reaped by a keeper only, or has just left the lock. */
static void kill_worker(const struct folder *folder, int signal_number)
{
    const int pid = folder_read_pid(folder);

    if (pid > 0 && folder_is_alive(folder))
        (void)kill(signal_number == SIGKILL ? -pid : pid, signal_number);
}

int start_end_remains(const struct folder *folder, bool at_once, struct osiris_error *error)
{
    if (!at_once) {
        kill_worker(folder, SIGTERM);
        if (is_gone(folder, ENDS_MS))
            return 0;
    }
    kill_worker(folder, SIGKILL);
    if (is_gone(folder, KILLED_MS))
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_TIMEOUT, "an earlier worker in the folder \"%s\" does not end", folder->path);
}

static int make_folders(const struct folder *folder, struct osiris_error *error)
{
    static const char *const names[] = {"work", "artifacts", "tmp"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mkdirat(folder->fd, names[i], 0700) < 0 || fchmodat(folder->fd, names[i], 0700, 0) < 0)
            return osiris_error_set_errno(error, errno, "cannot create \"%s/%s\"", folder->path, names[i]);
    return 0;
}

static int fill(struct keeper_start *start, struct osiris_error *error)
{
    if (make_folders(&start->folder, error) < 0)
        return -1;
    start->worker_lock = folder_lock_worker(&start->folder, error);
    if (start->worker_lock < 0)
        return -1;
    start->worker_socket = folder_listen(&start->folder, FOLDER_WORKER);
    start->keeper_socket = start->worker_socket < 0 ? -1 : folder_listen(&start->folder, FOLDER_KEEPER);
    if (start->keeper_socket < 0)
        return osiris_error_set_errno(error, errno, "cannot listen in the folder \"%s\"", start->folder.path);
    return 0;
}

/* Takes the locked folder. */
static int start_in(struct keeper_start *start, struct osiris_error *error)
{
    const int result = fill(start, error);

    if (result == 0)
        return keeper_detach(start, error);
    folder_remove(&start->folder);
    cleanup_close_value(&start->worker_lock);
    cleanup_close_value(&start->worker_socket);
    cleanup_close_value(&start->keeper_socket);
    folder_close(&start->folder);
    return -1;
}

int start_worker_in(const struct start_request *request, struct osiris_error *error)
{
    struct keeper_start start = {.folder = FOLDER_INIT, .worker_lock = -1, .worker_socket = -1, .keeper_socket = -1,
                                 .removed = request->removed, .removed_count = request->removed_count,
                                 .work = request->work};

    if (folder_lock(&start.folder, request->path, true, error) < 0)
        return -1;
    if (folder_has_keeper(&start.folder)) {
        folder_close(&start.folder);
        return 0;
    }
    if (start_end_remains(&start.folder, false, error) < 0) {
        folder_close(&start.folder);
        return -1;
    }
    folder_clear(&start.folder);
    return start_in(&start, error);
}
