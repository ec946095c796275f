/*
 * Output files: plain write(2). Short writes and EINTR are continued; a descriptor that would
 * block is polled in slices, so that a cancel is noticed; see file.h.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "existing.h"
#include "file.h"
#include "report.h"

#define PIECE ((size_t)1 << 15) /* bytes of text that are encoded at a time */

int csv_file_init(struct csv_file *file, const struct osiris_host *host,
                  const struct csv_options *options)
{
    *file = (struct csv_file){.host = host, .options = options, .fd = -1};
    if (csv_encoding_converts(options->encoding))
        file->encoded = malloc(2 * PIECE + 8);
    if (options->compression != CSV_PLAIN)
        file->compressor = csv_compressor_new(options->compression, options->compression_level);
    if ((csv_encoding_converts(options->encoding) && file->encoded == NULL) ||
        (options->compression != CSV_PLAIN && file->compressor == NULL))
        return csv_fail(host, OSIRIS_ERROR_INTERNAL, ENOMEM, NULL, "not enough memory");
    return 0;
}

void csv_file_clear(struct csv_file *file)
{
    csv_existing_free(file->existing);
    csv_compressor_free(file->compressor);
    free(file->encoded);
    free(file->path);
    *file = (struct csv_file){.fd = -1};
}

void csv_file_set(struct csv_file *file, char *path, int fd)
{
    struct stat status;
    free(file->path);
    file->path = path;
    file->fd = fd;
    file->encoder = (struct csv_encoder){.encoding = file->options->encoding};
    bool known = fstat(fd, &status) == 0;
    file->socket = known && S_ISSOCK(status.st_mode);
    file->careful = known && (S_ISFIFO(status.st_mode) || file->socket || isatty(fd) == 1);
}

static const char *name_of(const struct csv_file *file)
{
    return strcmp(file->path, "-") == 0 ? "standard output" : file->path;
}

static int check_cancelled(struct csv_file *file)
{
    if (file->host->cancelled(file->host))
        return csv_fail(file->host, OSIRIS_ERROR_CANCELLED, 0, NULL, "cancelled while writing %s",
                        name_of(file));
    return 0;
}

static int fail_write(struct csv_file *file, int code)
{
    const char *hint = NULL;
    int category = OSIRIS_ERROR_IO;
    if (code == ENOSPC || code == EDQUOT)
        hint = "free some space, or write to another file system";
    if (code == EFBIG)
        hint = "raise the limit on the size of files (ulimit -f), or write several files (rows_per_file)";
    if (code == EPIPE)
        hint = "its reader has closed it";
    if (code == EDQUOT)
        category = OSIRIS_ERROR_QUOTA;
    return csv_fail(file->host, category, code, hint, "cannot write %s: %s", name_of(file),
                    strerror(code));
}

static int wait_for_room(struct csv_file *file)
{
    struct pollfd ready = {.fd = file->fd, .events = POLLOUT};
    if (poll(&ready, 1, 100) < 0 && errno != EINTR)
        return fail_write(file, errno);
    if (check_cancelled(file) < 0)
        return -1;
    return ready.revents != 0;
}

/* A pipe that is ready takes this much at once, whether or not it is in non-blocking mode. */
static ssize_t write_carefully(struct csv_file *file, const char *from, size_t size)
{
    if (file->socket)
        return send(file->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(file->fd, from, size < PIPE_BUF ? size : PIPE_BUF);
}

/* 0 if some bytes were written or a retry makes sense; else -1, reported. */
static int write_some(struct csv_file *file, const char **from, const char *to)
{
    size_t size = (size_t)(to - *from);
    if (file->careful) {
        int ready = wait_for_room(file);
        if (ready <= 0)
            return ready;
    }
    ssize_t count =
        file->careful ? write_carefully(file, *from, size) : write(file->fd, *from, size);
    if (count > 0) {
        *from += count;
        return 0;
    }
    if (count == 0)
        return fail_write(file, ENOSPC);
    if (errno == EINTR)
        return check_cancelled(file);
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return fail_write(file, errno);
    return wait_for_room(file) < 0 ? -1 : 0;
}

static int write_bytes(void *context, const char *data, size_t size)
{
    struct csv_file *file = context;
    for (const char *from = data; from < data + size;)
        if (write_some(file, &from, data + size) < 0)
            return -1;
    return 0;
}

static int compress(struct csv_file *file, const char *data, size_t size, bool last)
{
    const char *problem;
    int made = csv_compress(file->compressor, data, size, last, write_bytes, file, &problem);
    return made <= 0 ? made
                     : csv_fail(file->host, OSIRIS_ERROR_INTERNAL, 0, NULL,
                                "cannot compress %s: %s", file->path, problem);
}

static int write_encoded(struct csv_file *file, const char *data, size_t size)
{
    if (file->existing != NULL)
        return csv_existing_compare(file->existing, data, size);
    return file->compressor != NULL ? compress(file, data, size, false)
                                    : write_bytes(file, data, size);
}

int csv_file_write_mark(struct csv_file *file)
{
    size_t size;
    const char *mark = csv_encoding_mark(file->options->encoding, &size);
    return size == 0 ? 0 : write_encoded(file, mark, size);
}

int csv_file_write(struct csv_file *file, const char *data, size_t size)
{
    if (check_cancelled(file) < 0)
        return -1;
    if (file->encoded == NULL)
        return size == 0 ? 0 : write_encoded(file, data, size);
    while (size > 0) {
        size_t piece = size < PIECE ? size : PIECE;
        size_t made = csv_encode(&file->encoder, data, piece, file->encoded);
        if (write_encoded(file, file->encoded, made) < 0)
            return -1;
        data += piece;
        size -= piece;
    }
    return 0;
}

int csv_file_end(struct csv_file *file)
{
    return file->compressor != NULL ? compress(file, NULL, 0, true) : 0;
}

int csv_file_compare_begin(struct csv_file *file)
{
    file->existing = csv_existing_open(file->host, file->options, file->path);
    return file->existing == NULL ? -1 : 0;
}

int csv_file_compare_end(struct csv_file *file)
{
    int ended = csv_existing_check_end(file->existing);
    csv_existing_free(file->existing);
    file->existing = NULL;
    return ended;
}
