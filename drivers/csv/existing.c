/*
 * Reading a file that is appended to; see existing.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "existing.h"

#define BLOCK ((size_t)1 << 16)
#define TAIL 4 /* no line break takes more bytes */

struct csv_existing {
    const struct osiris_host *host;
    const struct csv_options *options;
    const char *path;
    int fd;
    struct csv_decompressor *decompressor; /* NULL: the file is not compressed */
    const char *at;                        /* position in the current compressed bytes */
    size_t left;
    char tail[TAIL]; /* the last bytes of the text */
    size_t text_size;
    char compressed[BLOCK], text[BLOCK];
};

struct csv_existing *csv_existing_open(const struct osiris_host *host,
                                       const struct csv_options *options, const char *path)
{
    struct csv_existing *existing = calloc(1, sizeof *existing);
    bool ready = existing != NULL;
    if (ready) {
        existing->host = host;
        existing->options = options;
        existing->path = path;
        existing->fd = -1;
        if (options->compression != CSV_PLAIN)
            existing->decompressor = csv_decompressor_new(options->compression);
        ready = options->compression == CSV_PLAIN || existing->decompressor != NULL;
    }
    if (!ready)
        csv_fail(host, OSIRIS_ERROR_INTERNAL, ENOMEM, NULL, "not enough memory");
    else if (host->open_input(host, path, &existing->fd) == 0)
        return existing;
    csv_existing_free(existing);
    return NULL;
}

void csv_existing_free(struct csv_existing *existing)
{
    if (existing == NULL)
        return;
    csv_decompressor_free(existing->decompressor);
    if (existing->fd >= 0)
        (void)close(existing->fd);
    free(existing);
}

static ssize_t read_file(struct csv_existing *existing, char *to, size_t size)
{
    ssize_t count;
    if (existing->host->cancelled(existing->host))
        return csv_fail(existing->host, OSIRIS_ERROR_CANCELLED, 0, NULL,
                        "cancelled while reading %s", existing->path);
    do {
        count = read(existing->fd, to, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        csv_fail(existing->host, OSIRIS_ERROR_IO, errno, NULL, "cannot read %s: %s", existing->path,
                 strerror(errno));
    return count;
}

/* No reader would reach rows after such bytes. */
static int refuse_damaged(const struct csv_existing *existing, const char *problem)
{
    return csv_fail(existing->host, OSIRIS_ERROR_DATA, 0,
                    "append to a complete file of the same compression, or write a new one",
                    "cannot append to %s: the existing file is not a complete %s file: %s", existing->path,
                    existing->options->compression == CSV_GZIP ? "gzip" : "zstd", problem);
}

static ssize_t read_compressed(struct csv_existing *existing, char *to, size_t size)
{
    for (;;) {
        const char *problem;
        ssize_t made = csv_decompress(existing->decompressor, &existing->at, &existing->left, to,
                                      size, &problem);
        if (made > 0)
            return made;
        if (made < 0)
            return refuse_damaged(existing, problem);
        if (existing->left > 0)
            continue;
        ssize_t count = read_file(existing, existing->compressed, BLOCK);
        if (count == 0 && csv_decompressor_is_inside(existing->decompressor))
            return refuse_damaged(existing, "it is truncated");
        if (count <= 0)
            return count;
        existing->at = existing->compressed;
        existing->left = (size_t)count;
    }
}

/* Some of the file's text: 0 at its end, -1 reported. */
static ssize_t read_text(struct csv_existing *existing, char *to, size_t size)
{
    ssize_t count = existing->decompressor == NULL ? read_file(existing, to, size)
                                                   : read_compressed(existing, to, size);
    if (count <= 0)
        return count;
    size_t fresh = (size_t)count < TAIL ? (size_t)count : TAIL;
    memmove(existing->tail, existing->tail + fresh, TAIL - fresh);
    memcpy(existing->tail + TAIL - fresh, to + count - fresh, fresh);
    existing->text_size += (size_t)count;
    return count;
}

static int refuse_header(const struct csv_existing *existing)
{
    return csv_fail(existing->host, OSIRIS_ERROR_DATA, 0,
                    "append with the same columns and options, or write a new file",
                    "cannot append to %s: it does not start with the header that this step writes",
                    existing->path);
}

int csv_existing_compare(struct csv_existing *existing, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = read_text(existing, existing->text, size < BLOCK ? size : BLOCK);
        if (count < 0)
            return -1;
        if (count == 0 || memcmp(existing->text, data, (size_t)count) != 0)
            return refuse_header(existing);
        data += count;
        size -= (size_t)count;
    }
    return 0;
}

/* The last bytes of a text file, read directly, or of what was read to its end. 0; 1: unknown; -1
 * reported. */
static int find_tail(struct csv_existing *existing)
{
    struct stat status;
    ssize_t count = 1;
    bool known = fstat(existing->fd, &status) == 0;
    /* From a place that does not have the file, it comes through a pipe. */
    if (existing->decompressor != NULL || (known && S_ISFIFO(status.st_mode))) {
        while (count > 0)
            count = read_text(existing, existing->text, BLOCK);
        return (int)count;
    }
    if (!known || !S_ISREG(status.st_mode))
        return 1;
    size_t size = status.st_size < TAIL ? (size_t)status.st_size : TAIL;
    existing->text_size = (size_t)status.st_size;
    count = pread(existing->fd, existing->tail + TAIL - size, size, status.st_size - (off_t)size);
    return count == (ssize_t)size ? 0 : 1;
}

int csv_existing_check_end(struct csv_existing *existing)
{
    struct csv_encoder encoder = {.encoding = existing->options->encoding};
    char wanted[16] = "\n";
    int found = find_tail(existing);
    if (found != 0)
        return found < 0 ? -1 : 0;
    size_t size =
        csv_encoding_converts(encoder.encoding) ? csv_encode(&encoder, "\n", 1, wanted) : 1;
    if (existing->text_size == 0 ||
        (existing->text_size >= size && memcmp(existing->tail + TAIL - size, wanted, size) == 0))
        return 0;
    return csv_fail(existing->host, OSIRIS_ERROR_DATA, 0, "end the file with a line break",
                    "cannot append to %s: its last line is not terminated", existing->path);
}
