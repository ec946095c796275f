/* Tar bytes; see tar.h. The format: POSIX.1-1988 (IEEE Std 1003.1, pax, "ustar Interchange Format"). */
#include "orchestrator/bundle/tar.h"

#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"

#define BLOCK 512
/* 1980-01-01: some programs warn of 1970. */
#define TIME 315532800u

struct header {
    char name[ARCHIVE_NAME_MAXIMUM];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char user[32], group[32];
    char major[8], minor[8];
    char prefix[ARCHIVE_FOLDER_MAXIMUM];
    char unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static const char zeros[2 * BLOCK];

static size_t padding(size_t length)
{
    return (BLOCK - length % BLOCK) % BLOCK;
}

/* Text fields need no NUL if they are full. */
static void put_text(char *field, size_t size, const char *text, size_t length)
{
    memcpy(field, text, length < size ? length : size);
}

static void put_number(char *field, size_t size, uint64_t number)
{
    for (size_t i = size - 1; i-- > 0; number >>= 3)
        field[i] = (char)('0' + (number & 7));
}

static void fill_header(struct header *header, const char *path, char type, size_t size, unsigned mode)
{
    const char *name = archive_name(path);
    unsigned sum = 0;

    *header = (struct header){.type = type, .magic = "ustar", .version = {'0', '0'}};
    put_text(header->name, sizeof header->name, name, strlen(name));
    if (name > path)
        put_text(header->prefix, sizeof header->prefix, path, (size_t)(name - path) - 1);
    put_number(header->mode, sizeof header->mode, mode);
    put_number(header->uid, sizeof header->uid, 0);
    put_number(header->gid, sizeof header->gid, 0);
    put_number(header->size, sizeof header->size, size);
    put_number(header->mtime, sizeof header->mtime, TIME);
    put_number(header->major, sizeof header->major, 0);
    put_number(header->minor, sizeof header->minor, 0);
    memset(header->checksum, ' ', sizeof header->checksum);
    for (size_t i = 0; i < sizeof *header; i++)
        sum += ((const unsigned char *)header)[i];
    put_number(header->checksum, 7, sum);
    header->checksum[6] = '\0';
}

static void file_header(struct header *header, const struct archive_member *member)
{
    fill_header(header, member->path, '0', member->length, member->executable ? 0755 : 0644);
}

static void folder_header(struct header *header, const char *path, size_t length)
{
    _cleanup_free_ char *name = memory_format("%.*s/", (int)length, path);

    fill_header(header, name, '5', 0, 0755);
}

/* The folders above a member that are not above the one before it. `each` gets the length of the folder's path. */
static bool next_folder(const char *path, const char *before, size_t *length)
{
    for (const char *slash = strchr(path + *length + (*length > 0), '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *length = (size_t)(slash - path);
        if (strncmp(path, before, *length + 1) != 0)
            return true;
    }
    return false;
}

static const char *path_before(const struct archive *archive, size_t index)
{
    return index == 0 ? "" : archive->members[index - 1].path;
}

void tar_write(const struct archive *archive, const struct tar_sink *sink)
{
    for (size_t i = 0; i < archive->count; i++) {
        const struct archive_member *member = &archive->members[i];
        struct header header;
        size_t folder = 0;
        while (next_folder(member->path, path_before(archive, i), &folder)) {
            folder_header(&header, member->path, folder);
            sink->write(sink->context, &header, sizeof header);
        }
        file_header(&header, member);
        sink->write(sink->context, &header, sizeof header);
        sink->write(sink->context, member->bytes, member->length);
        sink->write(sink->context, zeros, padding(member->length));
    }
    sink->write(sink->context, zeros, sizeof zeros);
}

/* Reading. What is read is written again and compared, so only the fields that are needed for that are looked at. */

static int refuse(struct osiris_error *error, size_t at, const char *what)
{
    return osiris_error_set(error, OSIRIS_ERROR_DATA, "it is damaged, or no bundle: %s at byte %zu of the tar file", what, at);
}

static bool get_size(const struct header *header, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i + 1 < sizeof header->size; i++) {
        if (header->size[i] < '0' || header->size[i] > '7')
            return false;
        *size = *size << 3 | (size_t)(header->size[i] - '0');
    }
    return *size <= ARCHIVE_MAXIMUM;
}

static char *get_path(const struct header *header)
{
    int prefix = (int)strnlen(header->prefix, sizeof header->prefix), name = (int)strnlen(header->name, sizeof header->name);

    return memory_format("%.*s%s%.*s", prefix, header->prefix, prefix > 0 ? "/" : "", name, header->name);
}

/* Relative, and nowhere else. */
static bool is_plain(const char *path)
{
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length <= 2 && strspn(part, ".") >= length))
            return false;
        part += length;
        if (*part == '\0')
            return true;
    }
}

static bool is_written_as(const char *bytes, const struct header *header)
{
    return memcmp(bytes, header, sizeof *header) == 0;
}

struct reader {
    const char *bytes;
    size_t length, at;
    struct header header; /* the one at `at` */
};

static bool read_header(struct reader *reader)
{
    if (reader->length - reader->at < sizeof reader->header)
        return false;
    memcpy(&reader->header, reader->bytes + reader->at, sizeof reader->header);
    return true;
}

static int read_member(struct reader *reader, struct archive *archive, struct osiris_error *error)
{
    size_t size, at = reader->at;
    _cleanup_free_ char *path = get_path(&reader->header);
    struct header expected;

    if (!get_size(&reader->header, &size) || !is_plain(path) || archive_name(path) == NULL)
        return refuse(error, at, "an unexpected header");
    if (archive->count > 0 && strcmp(path_before(archive, archive->count), path) >= 0)
        return refuse(error, at, "an unexpected order");
    reader->at += sizeof expected;
    if (reader->length - reader->at < size + padding(size))
        return refuse(error, at, "an unexpected end");
    char *bytes = malloc(size + 1);
    if (bytes == NULL)
        return osiris_error_set_errno(error, errno, "cannot read the archive");
    memcpy(bytes, reader->bytes + reader->at, size);
    bytes[size] = '\0';
    reader->at += size;
    bool is_padded = memcmp(reader->bytes + reader->at, zeros, padding(size)) == 0;
    reader->at += padding(size);
    bool executable = reader->header.mode[4] == '7';
    if (archive_add(archive, steal_pointer(&path), bytes, size, executable, error) < 0)
        return -1;
    file_header(&expected, &archive->members[archive->count - 1]);
    if (!is_padded || !is_written_as((const char *)&reader->header, &expected))
        return refuse(error, at, "an unexpected member");
    return 0;
}

/* The folders stand before the member that they are above. */
static int check_folders(const struct reader *reader, size_t from, size_t to, const struct archive *archive,
                         struct osiris_error *error)
{
    const char *path = archive->members[archive->count - 1].path, *before = path_before(archive, archive->count - 1);
    struct header expected;
    size_t folder = 0;

    for (; next_folder(path, before, &folder); from += sizeof expected) {
        folder_header(&expected, path, folder);
        if (from == to || !is_written_as(reader->bytes + from, &expected))
            return refuse(error, from, "an unexpected folder");
    }
    return from == to ? 0 : refuse(error, from, "an unexpected folder");
}

int tar_read(const char *bytes, size_t length, struct archive *archive, struct osiris_error *error)
{
    struct reader reader = {.bytes = bytes, .length = length};

    while (read_header(&reader) && reader.header.type != '\0') {
        size_t folders = reader.at;
        while (reader.header.type == '5') {
            reader.at += sizeof reader.header;
            if (!read_header(&reader))
                return refuse(error, reader.at, "an unexpected end");
        }
        size_t member = reader.at;
        if (read_member(&reader, archive, error) < 0 || check_folders(&reader, folders, member, archive, error) < 0)
            return -1;
    }
    if (length - reader.at != sizeof zeros || memcmp(bytes + reader.at, zeros, sizeof zeros) != 0)
        return refuse(error, reader.at, "an unexpected end");
    return 0;
}
