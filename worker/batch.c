/* Batches in files; see batch.h. */
#include "worker/batch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "core/arrow/layout.h"
#include "core/arrow/share.h"

#define ALIGNMENT 64u
#define MAGIC UINT64_C(0x3173697269736f62)

/* The header: MAGIC, number of words that follow; then for each node, depth first, length, null_count,
 * offset, and for each buffer 1 + its bytes, or 0 if it is NULL. */

struct writer {
    uint64_t *words; /* owned */
    size_t word_count, word_capacity;
    struct iovec *parts; /* owned; buffers and paddings behind the header */
    size_t part_count, part_capacity;
    uint64_t body_bytes;
};

static const uint8_t padding[ALIGNMENT];

static uint64_t padded(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static int add_word(struct writer *writer, uint64_t word)
{
    if (writer->word_count == writer->word_capacity) {
        size_t capacity = writer->word_capacity == 0 ? 64 : writer->word_capacity * 2;
        void *grown = reallocarray(writer->words, capacity, sizeof *writer->words);
        if (grown == NULL)
            return -1;
        writer->words = grown;
        writer->word_capacity = capacity;
    }
    writer->words[writer->word_count++] = word;
    return 0;
}

static int add_part(struct writer *writer, const void *bytes, size_t length)
{
    if (length == 0)
        return 0;
    if (writer->part_count == writer->part_capacity) {
        size_t capacity = writer->part_capacity == 0 ? 64 : writer->part_capacity * 2;
        void *grown = reallocarray(writer->parts, capacity, sizeof *writer->parts);
        if (grown == NULL)
            return -1;
        writer->parts = grown;
        writer->part_capacity = capacity;
    }
    writer->parts[writer->part_count++] =
        (struct iovec){.iov_base = (void *)bytes, .iov_len = length};
    return 0;
}

static int add_array(struct writer *writer, const struct ArrowSchema *schema,
                     const struct ArrowArray *array)
{
    struct arrow_type type = arrow_type_from_format(schema->format);

    if (add_word(writer, (uint64_t)array->length) < 0 ||
        add_word(writer, (uint64_t)array->null_count) < 0 ||
        add_word(writer, (uint64_t)array->offset) < 0)
        return -1;
    for (int64_t i = 0; i < array->n_buffers; i++) {
        uint64_t bytes = arrow_buffer_bytes(&type, array, i);
        if (add_word(writer, array->buffers[i] == NULL ? 0 : 1 + bytes) < 0 ||
            add_part(writer, array->buffers[i], bytes) < 0 ||
            add_part(writer, padding, padded(bytes) - bytes) < 0)
            return -1;
        writer->body_bytes += padded(bytes);
    }
    for (int64_t i = 0; i < array->n_children; i++)
        if (add_array(writer, schema->children[i], array->children[i]) < 0)
            return -1;
    if (array->dictionary != NULL)
        return add_array(writer, schema->dictionary, array->dictionary);
    return 0;
}

static int write_parts(int fd, uint64_t offset, struct iovec *parts, size_t count)
{
    while (count > 0) {
        int some = count > IOV_MAX ? IOV_MAX : (int)count;
        ssize_t written = pwritev(fd, parts, some, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        offset += (uint64_t)written;
        while (count > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (written > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

static int write_all(int fd, uint64_t offset, struct writer *writer, uint64_t *length)
{
    size_t header = writer->word_count * sizeof *writer->words;
    size_t header_padding = (size_t)(padded(header) - header);
    struct iovec head[2] = {
        {.iov_base = writer->words, .iov_len = header},
        {.iov_base = (void *)padding, .iov_len = header_padding},
    };

    *length = padded(header) + writer->body_bytes;
    if (write_parts(fd, offset, head, 2) < 0)
        return -1;
    return write_parts(fd, offset + padded(header), writer->parts, writer->part_count);
}

int batch_write(int fd, uint64_t offset, const struct ArrowSchema *schema,
                const struct ArrowArray *array, uint64_t *length, struct osiris_error *error)
{
    struct writer writer = {0};
    int result = -1;

    if (add_word(&writer, MAGIC) < 0 || add_word(&writer, 0) < 0 ||
        add_array(&writer, schema, array) < 0) {
        osiris_error_set_errno(error, ENOMEM, "cannot spill a batch");
    } else {
        writer.words[1] = writer.word_count - 2;
        result = write_all(fd, offset, &writer, length);
        if (result < 0)
            osiris_error_set_errno(error, errno, "cannot spill a batch to a temporary file");
    }
    free(writer.words);
    free(writer.parts);
    return result;
}

/* Reading. */

struct block {
    uint8_t *bytes; /* owned */
    uint64_t length;
    const uint64_t *words;
    uint64_t word_count, word_at;
    uint64_t body_at;
};

static void free_nodes(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        free_nodes(array->children[i]);
        free(array->children[i]);
    }
    free(array->children);
    if (array->dictionary != NULL) {
        free_nodes(array->dictionary);
        free(array->dictionary);
    }
    free(array->buffers);
}

static void release_block(struct ArrowArray *array)
{
    free_nodes(array);
    free(array->private_data);
    array->release = NULL;
}

/* The nodes below the root belong to it: arrow_share makes views of them that can be moved out. */
static void release_node(struct ArrowArray *array)
{
    array->release = NULL;
}

static int take_word(struct block *block, uint64_t *word)
{
    if (block->word_at >= block->word_count)
        return -1;
    *word = block->words[block->word_at++];
    return 0;
}

static int take_buffer(struct block *block, const void **buffer)
{
    uint64_t word;

    if (take_word(block, &word) < 0)
        return -1;
    *buffer = NULL;
    if (word == 0)
        return 0;
    if (word - 1 > block->length - block->body_at)
        return -1;
    *buffer = block->bytes + block->body_at;
    block->body_at += padded(word - 1);
    return block->body_at <= block->length ? 0 : -1;
}

static int read_array(struct block *block, const struct ArrowSchema *schema,
                      struct ArrowArray *array);

static int read_child(struct block *block, const struct ArrowSchema *schema,
                      struct ArrowArray **child)
{
    *child = calloc(1, sizeof **child);
    return read_array(block, schema, *child);
}

static int read_array(struct block *block, const struct ArrowSchema *schema,
                      struct ArrowArray *array)
{
    struct arrow_type type = arrow_type_from_format(schema->format);
    uint64_t length, null_count, offset;

    if (take_word(block, &length) < 0 || take_word(block, &null_count) < 0 ||
        take_word(block, &offset) < 0)
        return -1;
    *array = (struct ArrowArray){.length = (int64_t)length,
                                 .null_count = (int64_t)null_count,
                                 .offset = (int64_t)offset,
                                 .n_buffers = arrow_buffer_count(&type),
                                 .release = release_node};
    array->buffers = calloc((size_t)array->n_buffers + 1, sizeof(void *));
    for (int64_t i = 0; i < array->n_buffers; i++)
        if (take_buffer(block, &array->buffers[i]) < 0)
            return -1;
    array->children = calloc((size_t)schema->n_children + 1, sizeof(struct ArrowArray *));
    if (array->children == NULL)
        return -1;
    for (int64_t i = 0; i < schema->n_children; i++) {
        array->n_children++;
        if (read_child(block, schema->children[i], &array->children[i]) < 0)
            return -1;
    }
    return schema->dictionary == NULL
               ? 0
               : read_child(block, schema->dictionary, &array->dictionary);
}

static int read_fully(int fd, uint64_t offset, uint8_t *bytes, uint64_t length)
{
    while (length > 0) {
        ssize_t got = pread(fd, bytes, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO;
            return -1;
        }
        bytes += got;
        offset += (uint64_t)got;
        length -= (uint64_t)got;
    }
    return 0;
}

/* Takes block->bytes into the array. */
static int build_array(struct block *block, const struct ArrowSchema *schema,
                       struct ArrowArray *array)
{
    struct ArrowArray owner = {0};

    block->words = (const uint64_t *)(const void *)block->bytes;
    if (block->length < ALIGNMENT || block->words[0] != MAGIC ||
        block->words[1] > block->length / sizeof(uint64_t) - 2) {
        free(block->bytes);
        errno = EIO;
        return -1;
    }
    block->word_count = block->words[1] + 2;
    block->word_at = 2;
    block->body_at = padded(block->word_count * sizeof(uint64_t));
    int result = read_array(block, schema, &owner);
    owner.private_data = block->bytes;
    owner.release = release_block;
    if (result < 0) {
        release_block(&owner);
        errno = EIO;
        return -1;
    }
    if (arrow_share(&owner, array, 1) < 0) {
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

int batch_read(int fd, uint64_t offset, uint64_t length, const struct ArrowSchema *schema,
               struct ArrowArray *array, struct osiris_error *error)
{
    struct block block = {.length = length};

    block.bytes = aligned_alloc(ALIGNMENT, (size_t)padded(length));
    if (block.bytes == NULL)
        return osiris_error_set_errno(error, ENOMEM, "cannot read a spilled batch");
    if (read_fully(fd, offset, block.bytes, length) < 0) {
        int reason = errno;
        free(block.bytes);
        return osiris_error_set_errno(error, reason, "cannot read a spilled batch");
    }
    if (build_array(&block, schema, array) < 0)
        return osiris_error_set_errno(error, errno, "cannot read a spilled batch");
    return 0;
}
