/* The thread of the files, and what the loop gives it to do; see files.h. */
#include "orchestrator/files/files.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/remove-tree.h"
#include "core/output/litter.h"
#include "core/wire/body.h"
#include "orchestrator/files/file-events.h"
#include "orchestrator/files/file-groups.h"
#include "orchestrator/files/file.h"

#define JOIN_S 5

/* Work. */

static void append(struct work_queue *queue, struct work *work)
{
    work->next = NULL;
    if (queue->last == NULL)
        queue->first = work;
    else
        queue->last->next = work;
    queue->last = work;
}

static void give(struct files *files, const struct work *given)
{
    struct work *work = malloc(sizeof *work);

    *work = *given;
    pthread_mutex_lock(&files->lock);
    append(&files->work, work);
    pthread_mutex_unlock(&files->lock);
    (void)eventfd_write(files->wake_fd, 1);
}

struct file *files_open(struct files *files, const struct file_options *options, void *owner)
{
    struct file *file = calloc(1, sizeof *file);

    file->files = files;
    file->owner = owner;
    file->is_input = options->is_input;
    file->is_artifacts = options->is_artifacts;
    file->step_id = strdup(options->step_id);
    file->path = strdup(options->path);
    file->mode = options->mode;
    file->create_directories = options->create_directories;
    file->append = options->append;
    file->no_sync = options->no_sync;
    file->fd = -1;
    give(files, &(struct work){.kind = WORK_OPEN, .file = file});
    return file;
}

void file_write(struct file *file, const struct file_bytes *bytes)
{
    give(file->files, &(struct work){.kind = WORK_WRITE, .file = file, .bytes = *bytes});
}

void file_finish(struct file *file, enum file_end end)
{
    give(file->files, &(struct work){.kind = WORK_FINISH, .file = file, .end = end});
}

void file_read(struct file *file, int64_t bytes, const char *codec)
{
    give(file->files, &(struct work){.kind = WORK_READ, .file = file, .credit = bytes, .codec = codec});
}

void file_close(struct file *file)
{
    give(file->files, &(struct work){.kind = WORK_CLOSE, .file = file});
}

static void give_list(struct files *files, enum work_kind kind, struct file *const *list, size_t count, void *owner)
{
    struct work work = {.kind = kind, .owner = owner, .count = count, .list = calloc(count + 1, sizeof *work.list)};

    if (work.list == NULL)
        memory_exhausted();
    memcpy(work.list, list, count * sizeof *list);
    give(files, &work);
}

void files_publish(struct files *files, struct file *const *list, size_t count, void *owner)
{
    give_list(files, WORK_PUBLISH, list, count, owner);
}

void files_retract(struct files *files, struct file *const *list, size_t count, void *owner)
{
    give_list(files, WORK_RETRACT, list, count, owner);
}

/* The thread. Files take turns. */

static void enqueue(struct file_queue *queue, struct file *file)
{
    file->queued = true;
    file->next_queued = NULL;
    if (queue->last == NULL)
        queue->first = file;
    else
        queue->last->next_queued = file;
    queue->last = file;
}

static struct file *dequeue(struct file_queue *queue)
{
    struct file *file = queue->first;

    queue->first = file->next_queued;
    if (queue->first == NULL)
        queue->last = NULL;
    file->queued = false;
    return file;
}

static bool remove_from(struct file_queue *queue, const struct file *file)
{
    struct file_queue rest = {0};
    bool found = false;

    while (queue->first != NULL) {
        struct file *first = dequeue(queue);
        if (first == file)
            found = true;
        else
            enqueue(&rest, first);
    }
    *queue = rest;
    return found;
}

/* What may have to wait for somebody else is polled before anything is done. */
static void enqueue_again(struct files *files, struct file *file)
{
    short events;

    if (file->queued || !file_has_work(file))
        return;
    if (file_waits_for(file, &events) < 0) {
        enqueue(&files->busy, file);
        return;
    }
    enqueue(&files->waiting, file);
    files->waiting_count++;
}

static void add_file(struct files *files, struct file *file)
{
    file->previous = files->last;
    if (files->last == NULL)
        files->first = file;
    else
        files->last->next = file;
    files->last = file;
    file_begin(file);
}

static void remove_file(struct files *files, struct file *file)
{
    if (file->queued && !remove_from(&files->busy, file) && remove_from(&files->waiting, file))
        files->waiting_count--;
    if (file->previous == NULL)
        files->first = file->next;
    else
        file->previous->next = file->next;
    if (file->next == NULL)
        files->last = file->previous;
    else
        file->next->previous = file->previous;
    file_end(file);
}

/* True: `work` belongs to its file now. */
static bool begin_work(struct files *files, struct work *work)
{
    struct file *file = work->file;

    switch (work->kind) {
    case WORK_OPEN:
        add_file(files, file);
        return false;
    case WORK_CLOSE:
        remove_file(files, file);
        return false;
    case WORK_READ:
        file->credit += work->credit;
        file->codec = work->codec;
        enqueue_again(files, file);
        return false;
    case WORK_WRITE:
    case WORK_FINISH:
        append(&file->work, work);
        enqueue_again(files, file);
        return true;
    case WORK_PUBLISH:
        file_groups_publish(files, work);
        return false;
    case WORK_RETRACT:
        file_groups_retract(files, work);
        return false;
    case WORK_STOP:
        files->stops = true;
        return false;
    }
    return false;
}

static void begin_all(struct files *files)
{
    eventfd_t count;

    (void)eventfd_read(files->wake_fd, &count);
    pthread_mutex_lock(&files->lock);
    struct work *work = files->work.first;
    files->work = (struct work_queue){0};
    pthread_mutex_unlock(&files->lock);
    while (work != NULL) {
        struct work *next = work->next;
        if (!begin_work(files, work)) {
            free(work->list);
            free(work);
        }
        work = next;
    }
}

/* Those whose descriptor is ready become busy. */
static void take_ready(struct files *files, const struct pollfd *fds)
{
    struct file_queue waiting = files->waiting;

    files->waiting = (struct file_queue){0};
    files->waiting_count = 0;
    for (size_t i = 0; waiting.first != NULL; i++) {
        struct file *file = dequeue(&waiting);
        if (fds[i].revents != 0)
            enqueue(&files->busy, file);
        else
            enqueue_again(files, file);
    }
}

/* Waits until there is something to do. */
static void wait_for_work(struct files *files)
{
    size_t count = 0;
    struct pollfd *fds = calloc(files->waiting_count + 1, sizeof *fds);

    if (fds == NULL)
        memory_exhausted();
    for (struct file *file = files->waiting.first; file != NULL; file = file->next_queued) {
        short events;
        fds[count].fd = file_waits_for(file, &events);
        fds[count++].events = events;
    }
    fds[count] = (struct pollfd){.fd = files->wake_fd, .events = POLLIN};
    if (poll(fds, count + 1, files->busy.first != NULL ? 0 : -1) > 0)
        take_ready(files, fds);
    free(fds);
}

static void *run(void *context)
{
    struct files *files = context;

    while (!files->stops) {
        wait_for_work(files);
        begin_all(files);
        if (files->stops || files->busy.first == NULL)
            continue;
        struct file *file = dequeue(&files->busy);
        file_advance(file);
        enqueue_again(files, file);
    }
    /* The first one may have made the folder of the others. */
    while (files->last != NULL)
        remove_file(files, files->last);
    return NULL;
}

/* Beginning and end. */

static int start_thread(struct files *files, struct osiris_error *error)
{
    int result = pthread_create(&files->thread, NULL, run, files);

    return result == 0 ? 0 : osiris_error_set_errno(error, result, "cannot start a thread for files");
}

static void clear(struct files *files)
{
    struct file_event event;

    while (files_take(files, &event))
        file_event_clear(&event);
    cleanup_close_value(&files->wake_fd);
    cleanup_close_value(&files->event_fd);
    cleanup_close_value(&files->temp_lock);
    remove_tree(files->temp_dir);
    pthread_mutex_destroy(&files->lock);
    free(files->run_id);
    free(files->temp_root);
    free(files->temp_dir);
    free(files);
}

struct files *files_new(const struct files_options *options, struct osiris_error *error)
{
    struct files *files = calloc(1, sizeof *files);
    char name[CLOCK_ULID_SIZE] = "";
    int named = clock_ulid(name);

    files->run_id = strdup(options->run_id);
    files->temp_root = strdup(options->temp_root);
    files->temp_dir = memory_format("%s/%s", options->temp_root, name);
    files->temp_lock = named < 0 ? -1 : litter_lock(files->temp_dir);
    files->origin = options->origin;
    files->stdout_fd = options->stdout_fd;
    files->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    files->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&files->lock, NULL);
    int result = named < 0 || files->wake_fd < 0 || files->event_fd < 0
                     ? osiris_error_set_errno(error, errno, "cannot serve files to a place")
                     : start_thread(files, error);
    if (result == 0)
        return files;
    clear(files);
    return NULL;
}

bool files_free(struct files *files)
{
    struct timespec deadline;

    if (files == NULL)
        return true;
    give(files, &(struct work){.kind = WORK_STOP});
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += JOIN_S;
    if (pthread_timedjoin_np(files->thread, NULL, &deadline) != 0) {
        (void)pthread_detach(files->thread);
        return false;
    }
    while (files->work.first != NULL) {
        struct work *work = files->work.first;
        files->work.first = work->next;
        body_free(work->bytes.body);
        free(work->list);
        free(work);
    }
    clear(files);
    return true;
}

int files_fd(const struct files *files)
{
    return files->event_fd;
}
