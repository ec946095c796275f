/* Several readers at once; see merge.h. */
#include "merge.h"

#include <stdlib.h>

struct ready {
    struct ArrowArray batch;
    size_t bytes;
    struct ready *next;
};

struct worker {
    struct mysql_merge *merge;
    struct mysql_reader *reader;
    size_t claimed; /* bytes of the batch that it builds; guarded by the merge's lock */
    bool reads_giants;
    pthread_t thread;
};

struct mysql_merge {
    struct mysql_reader *readers;
    size_t count;
    struct worker *workers;
    size_t started;
    struct mysql_gate gate; /* of the readers' errors */
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct ArrowSchema schema; /* from the first reader that knows it */
    struct ready *first, **last;
    size_t bytes;    /* waiting, claimed and taken */
    size_t taken;    /* bytes of the batch that was taken last, which may be in use until the next one is requested */
    size_t expected; /* expected bytes of the next batch: the largest recent one */
    bool guessed;    /* no batch has arrived yet */
    size_t running;  /* readers that have not finished */
    size_t giants;   /* of them, those that may meet giant rows and are reading */
    bool stopped;
};

void mysql_merge_stop(struct mysql_merge *merge)
{
    pthread_mutex_lock(&merge->lock);
    merge->stopped = true;
    pthread_cond_broadcast(&merge->changed);
    pthread_mutex_unlock(&merge->lock);
}

/* The first failure is reported; what the others fail of now follows from that. */
static void stop_all(struct mysql_merge *merge)
{
    mysql_gate_close(&merge->gate);
    mysql_merge_stop(merge);
    for (size_t i = 0; i < merge->count; i++)
        mysql_reader_interrupt(&merge->readers[i]);
}

/* A reader's thread. */

static int publish_schema(struct mysql_merge *merge, const struct mysql_reader *reader)
{
    struct ArrowSchema schema;

    if (mysql_reader_schema(reader, &schema) < 0)
        return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    pthread_mutex_lock(&merge->lock);
    bool first = merge->schema.release == NULL;
    if (first)
        merge->schema = schema;
    pthread_cond_broadcast(&merge->changed);
    pthread_mutex_unlock(&merge->lock);
    if (!first)
        schema.release(&schema);
    return 0;
}

/* Room. What a reader builds is claimed in advance, as far as it is known: the next batch is assumed to be as large as others
 * were. So readers of giant rows take turns, and other readers hardly ever wait. */

/* A waiting reader claims nothing, or two could wait for each other. False: the read was stopped. */
static bool claim(struct worker *worker, size_t bytes)
{
    struct mysql_merge *merge = worker->merge;

    if (bytes <= worker->claimed)
        return !merge->stopped;
    merge->bytes -= worker->claimed;
    worker->claimed = 0;
    pthread_cond_broadcast(&merge->changed);
    /* A batch larger than the bound passes alone. */
    while (!merge->stopped && merge->bytes > 0 && merge->bytes + bytes > MYSQL_MERGE_BYTES)
        pthread_cond_wait(&merge->changed, &merge->lock);
    merge->bytes += bytes;
    worker->claimed = bytes;
    return !merge->stopped;
}

static bool begin_batch(struct worker *worker)
{
    struct mysql_merge *merge = worker->merge;

    pthread_mutex_lock(&merge->lock);
    bool wanted = claim(worker, merge->expected);
    pthread_mutex_unlock(&merge->lock);
    return wanted;
}

/* Called by a reader that has a large row and does not hold a second copy of it yet. */
static bool wait_for_room(void *owner, size_t bytes)
{
    struct worker *worker = owner;
    struct mysql_merge *merge = worker->merge;

    pthread_mutex_lock(&merge->lock);
    bool wanted = claim(worker, bytes);
    pthread_mutex_unlock(&merge->lock);
    return wanted;
}

/* After giant rows, giant rows are expected for a while. */
static void expect(struct mysql_merge *merge, const struct worker *worker, size_t bytes)
{
    size_t least = worker->reader->batch_bytes_most;
    size_t most = merge->guessed ? bytes : merge->expected - merge->expected / 8;

    if (most < bytes)
        most = bytes;
    merge->expected = most < 2 * least ? least : most;
    merge->guessed = false;
}

/* Queues the batch in place of the claim. False: the read was stopped. */
static bool enqueue(struct worker *worker, struct ready *ready)
{
    struct mysql_merge *merge = worker->merge;

    pthread_mutex_lock(&merge->lock);
    bool wanted = !merge->stopped;
    if (wanted) {
        *merge->last = ready;
        merge->last = &ready->next;
        merge->bytes += ready->bytes - worker->claimed;
        worker->claimed = 0;
        expect(merge, worker, ready->bytes);
        pthread_cond_broadcast(&merge->changed);
    }
    pthread_mutex_unlock(&merge->lock);
    return wanted;
}

/* The client library reads a whole row into memory before any part of it is visible. Where rows can be giant, only a
 * few connections may read at a time. The others wait with their statements begun. False: the read was stopped. */
static bool begin_reading(struct worker *worker)
{
    struct mysql_merge *merge = worker->merge;

    if (!worker->reader->may_be_giant)
        return true;
    pthread_mutex_lock(&merge->lock);
    while (!merge->stopped && merge->giants >= MYSQL_MERGE_GIANTS)
        pthread_cond_wait(&merge->changed, &merge->lock);
    bool wanted = !merge->stopped;
    if (wanted)
        merge->giants++;
    worker->reads_giants = wanted;
    pthread_mutex_unlock(&merge->lock);
    return wanted;
}

static int read_all(struct worker *worker)
{
    struct mysql_reader *reader = worker->reader;
    struct ArrowArray batch;

    while (begin_batch(worker) && mysql_reader_next(reader, &batch) == 0) {
        if (batch.release == NULL)
            return 0;
        struct ready *ready = malloc(sizeof *ready);
        if (ready == NULL) {
            batch.release(&batch);
            return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                               "out of memory");
        }
        *ready = (struct ready){.batch = batch, .bytes = reader->batch_bytes};
        if (enqueue(worker, ready))
            continue;
        batch.release(&batch);
        free(ready);
        return -1;
    }
    return -1;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct mysql_merge *merge = worker->merge;
    bool done = mysql_reader_execute(worker->reader) == 0 &&
                publish_schema(merge, worker->reader) == 0 && begin_reading(worker) &&
                read_all(worker) == 0;

    if (!done)
        stop_all(merge);
    pthread_mutex_lock(&merge->lock);
    merge->running--;
    merge->giants -= worker->reads_giants ? 1 : 0;
    merge->bytes -= worker->claimed;
    worker->claimed = 0;
    pthread_cond_broadcast(&merge->changed);
    pthread_mutex_unlock(&merge->lock);
    mysql_thread_end();
    return NULL;
}

/* Called by the owner. */

static int start(struct mysql_merge *merge, size_t share)
{
    for (; merge->started < merge->count; merge->started++) {
        struct worker *worker = &merge->workers[merge->started];
        *worker = (struct worker){.merge = merge, .reader = &merge->readers[merge->started]};
        worker->reader->batch_bytes_most = share;
        worker->reader->reports.gate = &merge->gate;
        worker->reader->room = (struct mysql_room){.wait = wait_for_room, .owner = worker};
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            return -1;
    }
    return 0;
}

struct mysql_merge *mysql_merge_new(const struct osiris_host *host, struct mysql_reader *readers,
                                    size_t count, uint64_t row_bytes)
{
    size_t share = MYSQL_MERGE_BUILD_BYTES / count;
    struct mysql_merge *merge = calloc(1, sizeof *merge);
    struct worker *workers = calloc(count, sizeof *workers);

    if (merge == NULL || workers == NULL) {
        free(merge);
        free(workers);
        osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
        return NULL;
    }
    if (share > MYSQL_BATCH_BYTES)
        share = MYSQL_BATCH_BYTES;
    *merge = (struct mysql_merge){
        .readers = readers,
        .count = count,
        .workers = workers,
        .running = count,
        .expected = row_bytes > 2 * share ? (size_t)row_bytes : share,
        .guessed = true,
    };
    merge->last = &merge->first;
    mysql_gate_init(&merge->gate);
    pthread_mutex_init(&merge->lock, NULL);
    pthread_cond_init(&merge->changed, NULL);
    if (start(merge, share) == 0)
        return merge;
    osiris_fail(host, OSIRIS_ERROR_INTERNAL, 1, 0, NULL, NULL, "cannot start a thread");
    mysql_merge_free(merge);
    return NULL;
}

int mysql_merge_schema(struct mysql_merge *merge, struct ArrowSchema *out)
{
    pthread_mutex_lock(&merge->lock);
    while (merge->schema.release == NULL && !merge->stopped)
        pthread_cond_wait(&merge->changed, &merge->lock);
    bool known = merge->schema.release != NULL;
    *out = merge->schema;
    merge->schema.release = NULL;
    pthread_mutex_unlock(&merge->lock);
    return known ? 0 : -1;
}

/* The first waiting batch; NULL at the end or if the read was stopped. */
static struct ready *take(struct mysql_merge *merge, bool *stopped)
{
    pthread_mutex_lock(&merge->lock);
    merge->bytes -= merge->taken;
    merge->taken = 0;
    pthread_cond_broadcast(&merge->changed);
    while (merge->first == NULL && merge->running > 0 && !merge->stopped)
        pthread_cond_wait(&merge->changed, &merge->lock);
    *stopped = merge->stopped;
    struct ready *ready = merge->stopped ? NULL : merge->first;
    if (ready != NULL) {
        merge->first = ready->next;
        if (merge->first == NULL)
            merge->last = &merge->first;
        merge->taken = ready->bytes;
    }
    pthread_mutex_unlock(&merge->lock);
    return ready;
}

int mysql_merge_next(struct mysql_merge *merge, struct ArrowArray *out)
{
    bool stopped;
    struct ready *ready = take(merge, &stopped);

    out->release = NULL;
    if (ready != NULL)
        *out = ready->batch;
    free(ready);
    return stopped ? -1 : 0;
}

void mysql_merge_free(struct mysql_merge *merge)
{
    stop_all(merge);
    for (size_t i = 0; i < merge->started; i++)
        (void)pthread_join(merge->workers[i].thread, NULL);
    while (merge->first != NULL) {
        struct ready *ready = merge->first;
        merge->first = ready->next;
        ready->batch.release(&ready->batch);
        free(ready);
    }
    if (merge->schema.release != NULL)
        merge->schema.release(&merge->schema);
    for (size_t i = 0; i < merge->started; i++)
        merge->readers[i].reports.gate = NULL;
    mysql_gate_destroy(&merge->gate);
    pthread_cond_destroy(&merge->changed);
    pthread_mutex_destroy(&merge->lock);
    free(merge->workers);
    free(merge);
}
