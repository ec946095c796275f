/* The log of a detached worker; see log.h. */
#include "worker/relay/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/atomic-file.h"
#include "core/base/cleanup.h"

#define CHUNK 16384

static void write_some(struct log_writer *writer, const char *bytes, size_t length)
{
    static const char full_line[] = "\nosiris-worker: the log is full; what follows is dropped\n";
    size_t room = (int64_t)length < writer->left ? length : (size_t)writer->left;

    if (writer->fd < 0 || writer->full)
        return;
    writer->full = write_fully(writer->fd, bytes, room) < 0;
    writer->left -= (int64_t)room;
    if (!writer->full && room < length) {
        (void)write_fully(writer->fd, full_line, strlen(full_line));
        writer->full = true;
    }
}

bool log_copy(struct log_writer *writer, int pipe)
{
    char bytes[CHUNK];

    for (;;) {
        ssize_t got = read(pipe, bytes, sizeof bytes);
        if (got > 0)
            write_some(writer, bytes, (size_t)got);
        else if (got == 0 || (errno != EINTR && errno != EAGAIN))
            return false;
        else if (errno == EAGAIN)
            return true;
    }
}

void log_reader_open(struct log_reader *reader, int folder, int64_t offset)
{
    *reader = (struct log_reader){.offset = offset, .watch = -1};
    reader->fd = openat(folder, "log", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    reader->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    /* The working directory is the folder (folder.h). Also of its files: `status` appears by a rename. */
    if (reader->watch >= 0 && inotify_add_watch(reader->watch, ".", IN_MODIFY | IN_MOVED_TO | IN_ONLYDIR) < 0) {
        (void)close(reader->watch);
        reader->watch = -1;
    }
}

void log_reader_close(struct log_reader *reader)
{
    cleanup_close_value(&reader->fd);
    cleanup_close_value(&reader->watch);
}

/* False: there is no more. */
static bool fill(struct log_reader *reader)
{
    char *piece = reader->bytes + LOG_PIECE_HEADER;
    ssize_t got = reader->fd < 0 ? 0 : pread(reader->fd, piece, LOG_PIECE, reader->offset);
    char header[LOG_PIECE_HEADER];

    reader->sent = reader->filled = 0;
    if (got <= 0)
        return false;
    int length = snprintf(header, sizeof header, "\nosiris-log %lld %zd\n", (long long)reader->offset, got);
    reader->sent = LOG_PIECE_HEADER - length;
    memcpy(reader->bytes + reader->sent, header, (size_t)length);
    reader->filled = LOG_PIECE_HEADER + (int)got;
    reader->offset += got;
    return true;
}

int log_follow(struct log_reader *reader, int to)
{
    char events[4096];

    while (reader->watch >= 0 && read(reader->watch, events, sizeof events) > 0)
        continue;
    while (reader->sent < reader->filled || fill(reader)) {
        ssize_t done = write(to, reader->bytes + reader->sent, (size_t)(reader->filled - reader->sent));
        if (done < 0 && errno != EINTR)
            return errno == EAGAIN ? 1 : -1;
        if (done > 0)
            reader->sent += (int)done;
    }
    return 0;
}
