/* One file; see file.h. */
#include "orchestrator/files/file.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/output/artifacts-stream.h"
#include "core/output/claims.h"
#include "core/output/input.h"
#include "core/output/litter.h"
#include "core/wire/batch.h"
#include "core/wire/body.h"
#include "core/wire/window.h"
#include "orchestrator/files/file-events.h"

/* Opening. */

static void note_hidden(void *context, int folder)
{
    litter_note_hidden(((const struct files *)context)->temp_dir, folder);
}

static void note_made(void *context, int folder)
{
    litter_note_made(((const struct files *)context)->temp_dir, folder);
}

static void note_kept(void *context, int folder)
{
    litter_note_kept(((const struct files *)context)->temp_dir, folder);
}

/* "-" is standard output, for one step of a run. */
static int open_stdout(struct file *file, struct osiris_error *error)
{
    struct files *files = file->files;

    if (files->stdout_fd < 0) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "there is no standard output to write to here");
        osiris_error_hint(error, "run the step where osiris runs: run_on: local");
        return -1;
    }
    if (file->append || file->mode != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "standard output can be neither appended to nor given a mode");
    if (files->stdout_taken) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "another step writes to standard output");
        osiris_error_hint(error, "write to \"-\" in one step of the run only");
        return -1;
    }
    if (output_open_stream(file->path, files->stdout_fd, &file->output, error) < 0)
        return -1;
    files->stdout_taken = true;
    return 0;
}

static int open_output(struct file *file, struct osiris_error *error)
{
    const struct output_options options = {
        .path = file->path,
        .origin = &file->files->origin,
        .run_id = file->files->run_id,
        .mode = file->mode,
        .create_directories = file->create_directories,
        .append = file->append,
        .no_sync = file->no_sync,
        .hides_in = note_hidden,
        .made = note_made,
        .keeps = note_kept,
        .context = file->files,
    };

    return strcmp(file->path, "-") == 0 ? open_stdout(file, error) : output_open(&options, &file->output, error);
}

static struct claims claims_of(const struct files *files)
{
    return (struct claims){.temp_root = files->temp_root, .run_id = files->run_id};
}

/* No step writes the file of another one, or the same file twice at once. */
static int claim(struct file *file, struct osiris_error *error)
{
    const struct claims claims = claims_of(file->files);
    int known = output_identity(file->output, file->identity, error);

    if (known != 0)
        return known < 0 ? -1 : 0;
    for (const struct file *other = file->files->first; other != NULL; other = other->next)
        if (other != file && other->claimed && strcmp(other->identity, file->identity) == 0 &&
            strcmp(other->step_id, file->step_id) == 0)
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is already being written", file->path);
    if (claims_take(&claims, file->output, file->identity, file->step_id, error) < 0)
        return -1;
    file->claimed = true;
    return 0;
}

/* Whether the descriptor is that of something that may make its writer or reader wait. */
static bool may_wait(int fd)
{
    struct stat status;

    return fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode);
}

static int open_file(struct file *file, struct osiris_error *error)
{
    if (file->is_input) {
        file->fd = input_open(&file->files->origin, file->path, false, error);
        file->waits = may_wait(file->fd);
        return file->fd < 0 ? -1 : 0;
    }
    if (file->is_artifacts) {
        file->unpacker = artifacts_unpack(file->path, error);
        return file->unpacker == NULL ? -1 : 0;
    }
    if (open_output(file, error) < 0 || claim(file, error) < 0)
        return -1;
    file->waits = may_wait(output_fd(file->output));
    return 0;
}

static struct shelf *find_shelf(struct files *files, const char *step_id)
{
    struct shelf *shelf = files->shelves;

    while (shelf != NULL && strcmp(shelf->step_id, step_id) != 0)
        shelf = shelf->next;
    if (shelf == NULL) {
        shelf = calloc(1, sizeof *shelf);
        *shelf = (struct shelf){.step_id = strdup(step_id), .folder = -1, .next = files->shelves};
        files->shelves = shelf;
    }
    shelf->users++;
    return shelf;
}

void file_begin(struct file *file)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    file->fd = -1;
    if (!file->is_input && !file->is_artifacts)
        file->shelf = find_shelf(file->files, file->step_id);
    if (open_file(file, &error) == 0) {
        file_events_tell(file, FILE_OPENED, file->output == NULL ? 0 : output_initial_size(file->output), NULL);
        return;
    }
    osiris_error_copy(&file->error, &error);
    file->ended = true;
    file_events_tell(file, FILE_OPENED, 0, &error);
}

/* Writing. */

static void fail(struct file *file, struct osiris_error *error)
{
    osiris_error_copy(&file->error, error);
    file_events_tell(file, FILE_FAILED, 0, error);
}

/* The words of csv.writer, whose own write would have failed. */
static int set_write_error(const struct file *file, int number, struct osiris_error *error)
{
    osiris_error_set_errno(error, number, "cannot write %s", strcmp(file->path, "-") == 0 ? "standard output" : file->path);
    if (number == ENOSPC || number == EDQUOT)
        osiris_error_hint(error, "free some space, or write to another file system");
    if (number == EFBIG)
        osiris_error_hint(error, "raise the limit on the size of files (ulimit -f), or write several files (rows_per_file)");
    if (number == EPIPE)
        osiris_error_hint(error, "its reader has closed it");
    error->category = number == EDQUOT ? OSIRIS_ERROR_QUOTA : OSIRIS_ERROR_IO;
    return -1;
}

/* A pipe or terminal that is ready takes this much at once, whether or not it is in non-blocking mode. */
static ssize_t write_part(const struct file *file, const char *bytes, size_t length)
{
    int fd = output_fd(file->output);

    if (!file->waits)
        return write(fd, bytes, length);
    ssize_t sent = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 && errno == ENOTSOCK ? write(fd, bytes, length < PIPE_BUF ? length : PIPE_BUF) : sent;
}

static bool would_wait(const struct file *file)
{
    struct pollfd ready = {.fd = output_fd(file->output), .events = POLLOUT};

    return file->waits && poll(&ready, 1, 0) == 0;
}

/* 0: what is left of the bytes has to wait. */
static int write_bytes(struct file *file, struct work *work, struct osiris_error *error)
{
    while (work->done < work->bytes.length) {
        ssize_t count = write_part(file, (const char *)work->bytes.body + work->done, work->bytes.length - work->done);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (count <= 0)
            return set_write_error(file, count < 0 ? errno : ENOSPC, error);
        work->done += (size_t)count;
        if (work->done < work->bytes.length && would_wait(file))
            return 0;
    }
    output_write_back(file->output);
    return 1;
}

static int unpack(const struct file *file, const struct work *work, struct osiris_error *error)
{
    return artifacts_unpack_add(file->unpacker, work->bytes.body, work->bytes.length, error) < 0 ? -1 : 1;
}

static int decompress(struct file_bytes *bytes, struct osiris_error *error)
{
    if (bytes->codec == NULL)
        return 0;
    void *whole = body_new(NULL, bytes->size);
    if (whole == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot decompress a part of a file");
    if (wire_decompress(bytes->codec, bytes->body, bytes->length, whole, bytes->size) < 0) {
        body_free(whole);
        return osiris_error_set_violation(error, "a part of a file cannot be decompressed");
    }
    body_free(bytes->body);
    *bytes = (struct file_bytes){.body = whole, .length = bytes->size, .size = bytes->size};
    return 0;
}

static struct work *remove_first(struct work_queue *queue)
{
    struct work *work = queue->first;

    queue->first = work->next;
    if (queue->first == NULL)
        queue->last = NULL;
    return work;
}

static void free_work(struct work *work)
{
    body_free(work->bytes.body);
    free(work);
}

static void advance_write(struct file *file, struct work *work)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (file->error.category == 0) {
        int written = decompress(&work->bytes, &error) < 0 ? -1
                      : file->is_artifacts                 ? unpack(file, work, &error)
                                                           : write_bytes(file, work, &error);
        if (written == 0)
            return;
        if (written < 0)
            fail(file, &error);
        else
            file_events_tell(file, FILE_WRITTEN, (int64_t)work->bytes.length, NULL);
    }
    free_work(remove_first(&file->work));
}

static int finish(const struct file *file, enum file_end end, struct osiris_error *error)
{
    if (file->is_artifacts)
        return artifacts_unpack_end(file->unpacker, error);
    if (output_finish(file->output, error) < 0)
        return -1;
    if (end == FILE_ASIDE)
        return output_set_aside(file->output, &file->shelf->folder, error);
    return end == FILE_READY ? output_make_ready(file->output, error) : 0;
}

static void advance_finish(struct file *file, const struct work *work)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (file->error.category == 0 && finish(file, work->end, &error) < 0)
        osiris_error_copy(&file->error, &error);
    osiris_error_copy(&error, &file->error);
    bool has_size = error.category == 0 && file->output != NULL;
    file_events_tell(file, FILE_FINISHED, has_size ? output_size(file->output) : -1, &error);
    free_work(remove_first(&file->work));
}

/* Reading. */

static void compress(struct file_bytes *bytes, const char *codec)
{
    void *smaller = NULL;
    size_t length = 0;

    if (codec == NULL || wire_compress(codec, bytes->body, bytes->length, &smaller, &length) < 0 || smaller == NULL)
        return;
    void *body = body_new(NULL, length);
    if (body != NULL) {
        memcpy(body, smaller, length);
        body_free(bytes->body);
        *bytes = (struct file_bytes){.body = body, .length = length, .codec = codec, .size = bytes->size};
    }
    free(smaller);
}

static void end_input(struct file *file, struct osiris_error *error)
{
    file->ended = true;
    file_events_tell(file, FILE_ENDED, 0, error);
}

static void advance_read(struct file *file)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct file_event event = {.kind = FILE_READ, .owner = file->owner};
    size_t room = (size_t)(file->credit < WINDOW_BODY ? file->credit : WINDOW_BODY);
    void *body = body_new(NULL, room);
    ssize_t count = body == NULL ? -1 : read(file->fd, body, room);

    if (count > 0) {
        file->credit -= count;
        event.bytes = count;
        event.read = (struct file_bytes){.body = body, .length = (size_t)count, .size = (size_t)count};
        compress(&event.read, file->codec);
        file_events_add(file->files, &event, NULL);
        return;
    }
    int reason = body == NULL ? ENOMEM : errno;
    body_free(body);
    if (count < 0 && (reason == EAGAIN || reason == EINTR))
        return;
    if (count < 0) {
        osiris_error_set_errno(&error, reason, "cannot read %s", file->path);
        error.category = OSIRIS_ERROR_IO;
    }
    end_input(file, &error);
}

/* All of it. */

bool file_has_work(const struct file *file)
{
    return file->is_input ? file->credit > 0 && !file->ended : file->work.first != NULL;
}

int file_waits_for(const struct file *file, short *events)
{
    bool writes = !file->is_input && file->error.category == 0 && file->work.first != NULL && file->work.first->kind == WORK_WRITE;

    *events = file->is_input ? POLLIN : POLLOUT;
    if (!file->waits || (!file->is_input && !writes))
        return -1;
    return file->is_input ? file->fd : output_fd(file->output);
}

void file_advance(struct file *file)
{
    struct work *work = file->work.first;

    if (file->is_input)
        advance_read(file);
    else if (work->kind == WORK_WRITE)
        advance_write(file, work);
    else
        advance_finish(file, work);
}

static void leave_shelf(struct file *file)
{
    struct shelf **at = &file->files->shelves, *shelf = file->shelf;

    if (shelf == NULL || --shelf->users > 0)
        return;
    while (*at != shelf)
        at = &(*at)->next;
    *at = shelf->next;
    cleanup_close_value(&shelf->folder);
    free(shelf->step_id);
    free(shelf);
}

void file_end(struct file *file)
{
    const struct claims claims = claims_of(file->files);

    while (file->work.first != NULL)
        free_work(remove_first(&file->work));
    if (file->output != NULL && output_is_stream(file->output))
        file->files->stdout_taken = false;
    if (file->claimed && !output_is_published(file->output))
        claims_drop(&claims, file->identity);
    if (!output_close(file->output))
        file->files->left_hidden = true;
    artifacts_unpack_free(file->unpacker);
    cleanup_close_value(&file->fd);
    leave_shelf(file);
    file_events_tell(file, FILE_CLOSED, 0, NULL);
}
