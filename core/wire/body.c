/* Blocks for bodies, and pools of them; see body.h. */
#include "core/wire/body.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From this size on, blocks have their own pages, which can grow without a copy. */
#define LARGE (256u << 10)

/* With a sanitizer, the exact end of each block and every use after free must be visible. */
#if defined(__SANITIZE_ADDRESS__)
#define EXACT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EXACT 1
#endif
#endif
#ifndef EXACT
#define EXACT 0
#endif

/* The header before a body. */
struct block {
    struct body_pool *pool;
    struct block *next; /* in the pool */
    size_t room;
    size_t mapped; /* bytes of the mapping; 0: it is malloc's */
};

static_assert(sizeof(struct block) <= BODY_ALIGNMENT, "a block's head fits before its body");

struct body_pool {
    pthread_mutex_t blocks_lock;
    struct block *blocks;
    size_t bytes, kept_bytes;
    size_t in_use; /* blocks in use that will return */
    bool closed;
};

static struct block *block_of(const void *body)
{
    return (struct block *)(void *)((char *)body - BODY_ALIGNMENT);
}

static void *body_of(struct block *block)
{
    return (char *)block + BODY_ALIGNMENT;
}

struct body_pool *body_pool_new(size_t kept_bytes)
{
    struct body_pool *pool = calloc(1, sizeof *pool);

    pthread_mutex_init(&pool->blocks_lock, NULL);
    pool->kept_bytes = EXACT ? 0 : kept_bytes;
    return pool;
}

static void free_block(struct block *block)
{
    if (block->mapped > 0)
        (void)munmap(block, block->mapped);
    else
        free(block);
}

static void destroy(struct body_pool *pool)
{
    pthread_mutex_destroy(&pool->blocks_lock);
    free(pool);
}

void body_pool_free(struct body_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->blocks_lock);
    struct block *blocks = pool->blocks;
    pool->blocks = NULL;
    pool->closed = true;
    bool last = pool->in_use == 0;
    pthread_mutex_unlock(&pool->blocks_lock);
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free_block(blocks);
        blocks = next;
    }
    if (last)
        destroy(pool);
}

/* Batches of one stream have similar lengths, so their blocks can be reused for each other. */
static size_t rounded(size_t length)
{
    size_t step = BODY_ALIGNMENT;

    while (step < length / 16)
        step *= 2;
    return (length + step - 1) / step * step;
}

static struct block *map_block(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t mapped = (length + BODY_ALIGNMENT + page - 1) / page * page;
    struct block *block =
        mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED)
        return NULL;
    *block = (struct block){.room = mapped - BODY_ALIGNMENT, .mapped = mapped};
    return block;
}

static struct block *make_block(size_t length)
{
    struct block *block = NULL;
    size_t room = EXACT ? length : rounded(length);

    if (length > SIZE_MAX / 4)
        return NULL;
    if (!EXACT && room >= LARGE)
        return map_block(room);
    if (posix_memalign((void **)&block, BODY_ALIGNMENT, BODY_ALIGNMENT + room) != 0)
        return NULL;
    *block = (struct block){.room = room};
    return block;
}

/* A block that is long enough and not far too long. */
static struct block *take_kept_locked(struct body_pool *pool, size_t length)
{
    for (struct block **at = &pool->blocks; *at != NULL; at = &(*at)->next) {
        struct block *block = *at;
        if (block->room < length || block->room / 2 > length)
            continue;
        *at = block->next;
        pool->bytes -= block->room;
        return block;
    }
    return NULL;
}

void *body_new(struct body_pool *pool, size_t length)
{
    struct block *block = NULL;

    if (pool != NULL) {
        pthread_mutex_lock(&pool->blocks_lock);
        block = take_kept_locked(pool, length);
        pool->in_use++;
        pthread_mutex_unlock(&pool->blocks_lock);
    }
    if (block == NULL)
        block = make_block(length);
    if (block != NULL) {
        block->pool = pool;
        return body_of(block);
    }
    if (pool != NULL) {
        pthread_mutex_lock(&pool->blocks_lock);
        pool->in_use--;
        pthread_mutex_unlock(&pool->blocks_lock);
    }
    return NULL;
}

size_t body_room(const void *body)
{
    return block_of(body)->room;
}

void *body_grow(void *body, size_t length)
{
    struct block *block = block_of(body);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (length <= block->room)
        return body;
    if (block->mapped > 0 && length <= SIZE_MAX / 4) {
        size_t mapped = (length + BODY_ALIGNMENT + page - 1) / page * page;
        struct block *moved = mremap(block, block->mapped, mapped, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED)
            return NULL;
        moved->mapped = mapped;
        moved->room = mapped - BODY_ALIGNMENT;
        return body_of(moved);
    }
    struct block *longer = make_block(length);
    if (longer == NULL)
        return NULL;
    memcpy(body_of(longer), body, block->room);
    longer->pool = block->pool; /* which counts one block as before */
    free_block(block);
    return body_of(longer);
}

void body_free(void *body)
{
    struct block *block = body == NULL ? NULL : block_of(body);
    struct body_pool *pool = block == NULL ? NULL : block->pool;

    if (pool != NULL) {
        pthread_mutex_lock(&pool->blocks_lock);
        pool->in_use--;
        if (!pool->closed && block->room <= pool->kept_bytes - pool->bytes) {
            block->next = pool->blocks;
            pool->blocks = block;
            pool->bytes += block->room;
            block = NULL;
        }
        bool last = pool->closed && pool->in_use == 0;
        pthread_mutex_unlock(&pool->blocks_lock);
        if (last)
            destroy(pool);
    }
    if (block != NULL)
        free_block(block);
}
