/*
 * The queue of batches on one edge; see queue.h.
 *
 * `items_lock` guards everything but the spill file's contents: the producer alone writes new extents, the reader
 * alone reads extents that it has taken, and these never overlap.
 */
#include "worker/queue.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/arrow/share.h"
#include "core/base/atomic-file.h"
#include "core/base/file-id.h"
#include "worker/batch.h"
#include "core/base/memory.h"

enum { ARRAY_COST = 256 };

struct item {
    struct item *next;
    struct ArrowArray array; /* release is NULL: it is in the file */
    uint64_t bytes;
    uint64_t cost;           /* what counts against the bound */
    uint64_t offset, length; /* in the file */
};

struct queue {
    pthread_mutex_t items_lock;
    pthread_cond_t changed;
    struct item *first, *last;
    uint64_t cost; /* of those in memory */
    uint64_t bound;
    bool elastic;
    bool has_schema, finished, closed, cancelled;
    struct osiris_error failure; /* the producer's */
    struct ArrowSchema schema;
    const char *spill_dir;
    int spill_fd;
    struct file_id spill_id; /* a driver may close the descriptor, and use its number */
    uint64_t spill_end;
    size_t spilled; /* items in the file that are not read yet */
};

static void close_spill_file(const struct queue *queue)
{
    if (queue->spill_fd >= 0 && file_id_is(queue->spill_fd, &queue->spill_id))
        (void)close(queue->spill_fd);
}

struct queue *queue_new(uint64_t bound_bytes, bool elastic, const char *spill_dir)
{
    struct queue *queue = calloc(1, sizeof *queue);

    pthread_mutex_init(&queue->items_lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->bound = bound_bytes;
    queue->elastic = elastic;
    queue->spill_dir = spill_dir;
    queue->spill_fd = -1;
    return queue;
}

static void free_item(struct item *item)
{
    if (item->array.release != NULL)
        item->array.release(&item->array);
    free(item);
}

static void drop_items_locked(struct queue *queue)
{
    while (queue->first != NULL) {
        struct item *item = queue->first;
        queue->first = item->next;
        free_item(item);
    }
    queue->last = NULL;
    queue->cost = 0;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    drop_items_locked(queue);
    if (queue->has_schema)
        queue->schema.release(&queue->schema);
    osiris_error_clear(&queue->failure);
    close_spill_file(queue);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->items_lock);
    free(queue);
}

int queue_set_schema(struct queue *queue, const struct ArrowSchema *schema)
{
    struct ArrowSchema copy;

    if (arrow_schema_copy(schema, &copy) < 0)
        return -1;
    pthread_mutex_lock(&queue->items_lock);
    queue->schema = copy;
    queue->has_schema = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->items_lock);
    return 0;
}

/* Putting. */

static int check_spill_file(const struct queue *queue, struct osiris_error *error)
{
    if (file_id_is(queue->spill_fd, &queue->spill_id))
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "cannot use the spill file: a driver of this worker has closed a descriptor that is not its own");
}

static int open_spill_file(struct queue *queue, struct osiris_error *error)
{
    if (make_directories(queue->spill_dir, 0700, error) < 0)
        return -1;
    queue->spill_fd = open(queue->spill_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (queue->spill_fd >= 0 && file_id_of(queue->spill_fd, &queue->spill_id))
        return 0;
    _cleanup_free_ char *path = memory_format("%s/spill.XXXXXX", queue->spill_dir);
    queue->spill_fd = mkostemp(path, O_CLOEXEC);
    if (queue->spill_fd < 0)
        return osiris_error_set_errno(error, errno, "cannot make a spill file in \"%s\"", queue->spill_dir);
    (void)unlink(path);
    (void)file_id_of(queue->spill_fd, &queue->spill_id);
    return 0;
}

/* The producer's; called without the lock. */
static int spill(struct queue *queue, struct item *item, struct osiris_error *error)
{
    if ((queue->spill_fd < 0 && open_spill_file(queue, error) < 0) || check_spill_file(queue, error) < 0)
        return -1;
    pthread_mutex_lock(&queue->items_lock);
    bool drained = queue->spilled == 0;
    pthread_mutex_unlock(&queue->items_lock);
    /* Only this thread adds extents, so a drained file stays drained. */
    if (drained && queue->spill_end > 0 && ftruncate(queue->spill_fd, 0) == 0)
        queue->spill_end = 0;
    if (batch_write(queue->spill_fd, queue->spill_end, &queue->schema, &item->array,
                    &item->length, error) < 0)
        return -1;
    item->offset = queue->spill_end;
    queue->spill_end += item->length;
    item->array.release(&item->array);
    return 0;
}

/* Roughly the size of the structures: columns without data also take memory. */
static uint64_t cost_of_arrays(const struct ArrowArray *array)
{
    uint64_t cost = ARRAY_COST + (array->dictionary == NULL ? 0 : cost_of_arrays(array->dictionary));

    for (int64_t i = 0; i < array->n_children; i++)
        cost += cost_of_arrays(array->children[i]);
    return cost;
}

static bool is_full_locked(const struct queue *queue, uint64_t cost)
{
    return queue->first != NULL && queue->cost + cost > queue->bound;
}

static void append_locked(struct queue *queue, struct item *item)
{
    if (queue->last == NULL)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
    if (item->array.release != NULL)
        queue->cost += item->cost;
    else
        queue->spilled++;
}

enum queue_result queue_put_quietly(struct queue *queue, struct ArrowArray *array, uint64_t bytes,
                                    struct osiris_error *error)
{
    struct item *item = calloc(1, sizeof *item);
    enum queue_result result = QUEUE_OK;

    item->array = *array;
    item->bytes = bytes;
    item->cost = bytes + cost_of_arrays(array);
    array->release = NULL;
    pthread_mutex_lock(&queue->items_lock);
    bool full = is_full_locked(queue, item->cost);
    while (full && !queue->elastic && !queue->cancelled && !queue->closed) {
        pthread_cond_wait(&queue->changed, &queue->items_lock);
        full = is_full_locked(queue, item->cost);
    }
    if (full && queue->elastic && !queue->cancelled && !queue->closed) {
        pthread_mutex_unlock(&queue->items_lock);
        if (spill(queue, item, error) < 0)
            result = QUEUE_ERROR;
        pthread_mutex_lock(&queue->items_lock);
    }
    if (result == QUEUE_OK && queue->cancelled)
        result = QUEUE_CANCELLED;
    else if (result == QUEUE_OK && queue->closed)
        result = QUEUE_CLOSED;
    if (result == QUEUE_OK)
        append_locked(queue, item);
    pthread_mutex_unlock(&queue->items_lock);
    if (result != QUEUE_OK)
        free_item(item);
    return result;
}

/* Without the lock, so that the woken thread finds it free. */
void queue_wake(struct queue *queue)
{
    pthread_cond_broadcast(&queue->changed);
}

enum queue_result queue_put(struct queue *queue, struct ArrowArray *array, uint64_t bytes,
                            struct osiris_error *error)
{
    enum queue_result result = queue_put_quietly(queue, array, bytes, error);

    if (result == QUEUE_OK)
        queue_wake(queue);
    return result;
}

void queue_finish(struct queue *queue)
{
    pthread_mutex_lock(&queue->items_lock);
    queue->finished = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->items_lock);
}

/* Getting. */

enum queue_result queue_get_schema(struct queue *queue, struct ArrowSchema *schema)
{
    enum queue_result result = QUEUE_OK;

    pthread_mutex_lock(&queue->items_lock);
    while (!queue->has_schema && !queue->cancelled && !queue->finished)
        pthread_cond_wait(&queue->changed, &queue->items_lock);
    if (queue->cancelled || !queue->has_schema)
        result = QUEUE_CANCELLED;
    pthread_mutex_unlock(&queue->items_lock);
    /* Set once, and not changed after that. */
    if (result == QUEUE_OK && arrow_schema_copy(&queue->schema, schema) < 0)
        return QUEUE_ERROR;
    return result;
}

static enum queue_result read_spilled(struct queue *queue, struct item *item,
                                      struct ArrowArray *array, struct osiris_error *error)
{
    int result = check_spill_file(queue, error);

    if (result == 0) {
        result = batch_read(queue->spill_fd, item->offset, item->length, &queue->schema, array, error);
        /* Returns the disk space; where the file system cannot, the space is returned at the end. */
        (void)fallocate(queue->spill_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        (off_t)item->offset, (off_t)item->length);
    }
    pthread_mutex_lock(&queue->items_lock);
    queue->spilled--;
    pthread_mutex_unlock(&queue->items_lock);
    return result < 0 ? QUEUE_ERROR : QUEUE_OK;
}

enum queue_result queue_get(struct queue *queue, struct ArrowArray *array, uint64_t *bytes,
                            struct osiris_error *error)
{
    enum queue_result result = QUEUE_OK;
    struct item *item = NULL;

    array->release = NULL;
    pthread_mutex_lock(&queue->items_lock);
    while (queue->first == NULL && !queue->cancelled && !queue->finished && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->items_lock);
    if (queue->failure.category != 0) {
        osiris_error_move(error, &queue->failure);
        result = QUEUE_ERROR;
    } else if (queue->cancelled) {
        result = QUEUE_CANCELLED;
    } else if (queue->closed) {
        result = QUEUE_CLOSED; /* what was left was dropped: this is not the end */
    } else if (queue->first == NULL) {
        result = QUEUE_END;
    } else {
        item = queue->first;
        queue->first = item->next;
        if (queue->first == NULL)
            queue->last = NULL;
        if (item->array.release != NULL)
            queue->cost -= item->cost;
    }
    pthread_mutex_unlock(&queue->items_lock);
    if (item == NULL)
        return result;
    pthread_cond_broadcast(&queue->changed);
    *bytes = item->bytes;
    if (item->array.release == NULL)
        result = read_spilled(queue, item, array, error);
    else
        *array = item->array;
    free(item);
    return result;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->items_lock);
    queue->closed = true;
    struct item *first = queue->first;
    queue->first = queue->last = NULL;
    queue->cost = 0;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->items_lock);
    /* Release callbacks are foreign code: never under a lock. */
    while (first != NULL) {
        struct item *next = first->next;
        free_item(first);
        first = next;
    }
}

void queue_fail(struct queue *queue, struct osiris_error *error)
{
    pthread_mutex_lock(&queue->items_lock);
    if (queue->failure.category == 0)
        osiris_error_move(&queue->failure, error);
    queue->cancelled = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->items_lock);
}

void queue_renew(struct queue *queue)
{
    drop_items_locked(queue);
    if (queue->has_schema)
        queue->schema.release(&queue->schema);
    queue->has_schema = queue->finished = queue->closed = queue->cancelled = false;
    osiris_error_clear(&queue->failure);
    close_spill_file(queue);
    queue->spill_fd = -1;
    queue->spill_end = 0;
    queue->spilled = 0;
}

void queue_cancel(struct queue *queue)
{
    pthread_mutex_lock(&queue->items_lock);
    queue->cancelled = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->items_lock);
}
