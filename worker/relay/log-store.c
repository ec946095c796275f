/* A worker's output; see log-store.h. */
#include "worker/relay/log-store.h"

#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/memory.h"

void log_store_init(struct log_store *store, size_t maximum)
{
    *store = (struct log_store){.maximum = maximum};
}

void log_store_clear(struct log_store *store)
{
    for (size_t i = 0; i < store->block_count; i++)
        free(store->blocks[i]);
    free(store->blocks);
    *store = (struct log_store){0};
}

/* The rest of the last block, or a new one. */
static char *room(struct log_store *store, size_t *length)
{
    const size_t used = (size_t)(store->length % LOG_STORE_BLOCK);

    if (store->length == (uint64_t)store->block_count * LOG_STORE_BLOCK) {
        char *block = malloc(LOG_STORE_BLOCK);
        char **grown = block == NULL ? NULL : reallocarray(store->blocks, store->block_count + 1, sizeof *grown);
        if (grown == NULL) {
            free(block);
            return NULL;
        }
        store->blocks = grown;
        store->blocks[store->block_count++] = block;
    }
    *length = LOG_STORE_BLOCK - used;
    return store->blocks[store->block_count - 1] + used;
}

static void add(struct log_store *store, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t part;
        char *to = room(store, &part);
        if (to == NULL) {
            store->full = true;
            return;
        }
        part = part < length ? part : length;
        memcpy(to, bytes, part);
        store->length += part;
        bytes += part;
        length -= part;
    }
}

void log_store_append(struct log_store *store, const char *bytes, size_t length)
{
    if (store->full)
        return;
    const size_t left = store->maximum - (size_t)store->length;
    const size_t part = length < left ? length : left;
    add(store, bytes, part);
    if (part == length)
        return;
    store->full = true;
    _cleanup_free_ char *line =
        memory_format("osiris-worker: more than %zu bytes were printed; the rest is dropped", store->maximum);
    log_store_append_line(store, line);
}

void log_store_append_line(struct log_store *store, const char *line)
{
    const char *last;

    if (store->length > 0 && (log_store_at(store, store->length - 1, &last) != 1 || *last != '\n'))
        add(store, "\n", 1);
    add(store, line, strlen(line));
    add(store, "\n", 1);
}

size_t log_store_at(const struct log_store *store, uint64_t offset, const char **bytes)
{
    if (offset >= store->length)
        return 0;
    const size_t begin = (size_t)(offset % LOG_STORE_BLOCK);
    const uint64_t left = store->length - offset;

    *bytes = store->blocks[offset / LOG_STORE_BLOCK] + begin;
    return left < LOG_STORE_BLOCK - begin ? (size_t)left : LOG_STORE_BLOCK - begin;
}
