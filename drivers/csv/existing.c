/*
 * Reading a file that is appended to; see existing.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "existing.h"

#define BLOCK ((size_t)1 << 14)

struct csv_existing {
    const struct osiris_host *host;
    const struct csv_options *options;
    const char *path;
    int fd;
    char compressed[BLOCK];
    size_t compressed_at, compressed_size;
#ifdef HAVE_ZLIB
    z_stream gzip;
#endif
#ifdef HAVE_ZSTD
    ZSTD_DCtx *zstd;
#endif
};

struct csv_existing *csv_existing_open(const struct osiris_host *host,
                                       const struct csv_options *options, const char *path)
{
    struct csv_existing *existing = calloc(1, sizeof *existing);
    bool ready = existing != NULL;
    if (ready)
        *existing = (struct csv_existing){.host = host, .options = options, .path = path, .fd = -1};
#ifdef HAVE_ZLIB
    if (ready && options->compression == CSV_GZIP)
        ready = inflateInit2(&existing->gzip, 15 + 16) == Z_OK;
#endif
#ifdef HAVE_ZSTD
    if (ready && options->compression == CSV_ZSTD)
        ready = (existing->zstd = ZSTD_createDCtx()) != NULL;
#endif
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
#ifdef HAVE_ZLIB
    if (existing->options->compression == CSV_GZIP)
        (void)inflateEnd(&existing->gzip);
#endif
#ifdef HAVE_ZSTD
    ZSTD_freeDCtx(existing->zstd);
#endif
    if (existing->fd >= 0)
        (void)close(existing->fd);
    free(existing);
}

static ssize_t read_file(struct csv_existing *existing, char *to, size_t size)
{
    ssize_t count;
    do {
        count = read(existing->fd, to, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        csv_fail(existing->host, OSIRIS_ERROR_IO, errno, NULL, "cannot read %s: %s", existing->path,
                 strerror(errno));
    return count;
}

/* One call of the library: from the compressed bytes at hand to `to`. How many came, or -1: they
 * are no such file. */
static ssize_t decompress(struct csv_existing *existing, char *to, size_t size)
{
    const char *from = existing->compressed + existing->compressed_at;
    size_t left = existing->compressed_size - existing->compressed_at;
    (void)from, (void)left, (void)to, (void)size;
#ifdef HAVE_ZLIB
    if (existing->options->compression == CSV_GZIP) {
        z_stream *gzip = &existing->gzip;
        gzip->next_in = (Bytef *)from;
        gzip->avail_in = (uInt)left;
        gzip->next_out = (Bytef *)to;
        gzip->avail_out = (uInt)size;
        int result = inflate(gzip, Z_NO_FLUSH);
        existing->compressed_at += left - gzip->avail_in;
        if (result == Z_STREAM_END)
            result = inflateReset(gzip);
        return result == Z_OK || result == Z_BUF_ERROR ? (ssize_t)(size - gzip->avail_out) : -1;
    }
#endif
#ifdef HAVE_ZSTD
    if (existing->options->compression == CSV_ZSTD) {
        ZSTD_inBuffer in = {from, left, 0};
        ZSTD_outBuffer out = {to, size, 0};
        size_t result = ZSTD_decompressStream(existing->zstd, &out, &in);
        existing->compressed_at += in.pos;
        return ZSTD_isError(result) ? -1 : (ssize_t)out.pos;
    }
#endif
    return -1;
}

/* Some of the file's text: 0 at its end, -1 reported. */
static ssize_t read_text(struct csv_existing *existing, char *to, size_t size)
{
    if (existing->options->compression == CSV_PLAIN)
        return read_file(existing, to, size);
    for (;;) {
        size_t before = existing->compressed_at;
        ssize_t made = decompress(existing, to, size);
        if (made > 0)
            return made;
        if (made < 0)
            return csv_fail(existing->host, OSIRIS_ERROR_DATA, 0,
                            "append to a file that is compressed likewise, or write a new one",
                            "cannot append to %s: it is not compressed as this step does",
                            existing->path);
        if (existing->compressed_at < existing->compressed_size && existing->compressed_at > before)
            continue;
        ssize_t count = read_file(existing, existing->compressed, BLOCK);
        if (count <= 0)
            return count;
        existing->compressed_at = 0;
        existing->compressed_size = (size_t)count;
    }
}

static int refuse_header(const struct csv_existing *existing)
{
    return csv_fail(existing->host, OSIRIS_ERROR_DATA, 0,
                    "append with the same columns and options, or write a new file",
                    "cannot append to %s: it does not begin with the header that this step writes",
                    existing->path);
}

int csv_existing_compare(struct csv_existing *existing, const char *data, size_t size)
{
    char text[4096];
    while (size > 0) {
        ssize_t count = read_text(existing, text, size < sizeof text ? size : sizeof text);
        if (count < 0)
            return -1;
        if (count == 0 || memcmp(text, data, (size_t)count) != 0)
            return refuse_header(existing);
        data += count;
        size -= (size_t)count;
    }
    return 0;
}

int csv_existing_check_end(struct csv_existing *existing)
{
    struct csv_encoder encoder = {.encoding = existing->options->encoding};
    char wanted[16], found[16];
    struct stat status;
    if (existing->options->compression != CSV_PLAIN || fstat(existing->fd, &status) < 0 ||
        !S_ISREG(status.st_mode))
        return 0;
    size_t size =
        csv_encoding_converts(encoder.encoding) ? csv_encode(&encoder, "\n", 1, wanted) : 1;
    if (!csv_encoding_converts(encoder.encoding))
        wanted[0] = '\n';
    if (pread(existing->fd, found, size, status.st_size - (off_t)size) == (ssize_t)size &&
        memcmp(found, wanted, size) == 0)
        return 0;
    return csv_fail(existing->host, OSIRIS_ERROR_DATA, 0, "end the file with a line break",
                    "cannot append to %s: its last line has no end", existing->path);
}
