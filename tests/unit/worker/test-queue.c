/* Queues of batches (worker/queue.h), with what they stand on: views (core/arrow/share.h) and spilled batches (batch.h). */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <osiris/kit.h>

#include "core/arrow/check.h"
#include "core/arrow/share.h"
#include "worker/batch.h"
#include "worker/queue.h"

static const struct osiris_field fields[] = {{.name = "id", .type = OSIRIS_TYPE_INT64},
                                             {.name = "text", .type = OSIRIS_TYPE_UTF8}};

static void make_schema(struct ArrowSchema *schema)
{
    struct osiris_builder *builder = osiris_builder_new(fields, 2, 1);

    ck_assert_int_eq(osiris_builder_schema(builder, schema), 0);
    osiris_builder_free(builder);
}

/* `rows` rows from `first` on; every third text is NULL. */
static void make_batch(int64_t first, int64_t rows, struct ArrowArray *out)
{
    struct osiris_builder *builder = osiris_builder_new(fields, 2, rows == 0 ? 1 : rows);
    char text[40];

    for (int64_t n = first; n < first + rows; n++) {
        osiris_append_int64(osiris_builder_column(builder, 0), n);
        if (n % 3 == 0)
            osiris_append_null(osiris_builder_column(builder, 1));
        else
            osiris_append_bytes(osiris_builder_column(builder, 1), text,
                                (size_t)sprintf(text, "row %lld", (long long)n));
        osiris_builder_end_row(builder);
    }
    ck_assert_int_eq(osiris_builder_finish(builder, out), 0);
    osiris_builder_free(builder);
}

static void check_batch(const struct ArrowArray *batch, int64_t first)
{
    const struct ArrowArray *texts = batch->children[1];
    const int64_t *ids = (const int64_t *)batch->children[0]->buffers[1] + batch->children[0]->offset;
    const int32_t *offsets = (const int32_t *)texts->buffers[1] + texts->offset;
    const uint8_t *validity = texts->buffers[0];
    char text[40];

    for (int64_t i = 0; i < batch->length; i++) {
        int64_t n = first + i, bit = texts->offset + i;
        ck_assert_int_eq(ids[i], n);
        ck_assert_int_eq(validity == NULL || (validity[bit / 8] >> bit % 8 & 1), n % 3 != 0);
        int length = n % 3 == 0 ? 0 : sprintf(text, "row %lld", (long long)n);
        ck_assert_int_eq(offsets[i + 1] - offsets[i], length);
        ck_assert_mem_eq((const char *)texts->buffers[2] + offsets[i], text, (size_t)length);
    }
}

struct producer {
    struct queue *queue;
    int64_t batches;
    atomic_int_fast64_t put;
    enum queue_result last;
};

static void *produce(void *context)
{
    struct producer *producer = context;

    for (int64_t i = 0; i < producer->batches; i++) {
        struct ArrowArray batch;
        make_batch(i * 10, 10, &batch);
        producer->last = queue_put(producer->queue, &batch, 1000, NULL);
        if (producer->last != QUEUE_OK)
            return NULL;
        atomic_fetch_add(&producer->put, 1);
    }
    queue_finish(producer->queue);
    return NULL;
}

static struct queue *new_queue(uint64_t bound, bool elastic)
{
    struct queue *queue = queue_new(bound, elastic, "/tmp");
    struct ArrowSchema schema;

    ck_assert_ptr_nonnull(queue);
    make_schema(&schema);
    ck_assert_int_eq(queue_set_schema(queue, &schema), 0);
    schema.release(&schema);
    return queue;
}

static int64_t drain(struct queue *queue)
{
    struct ArrowArray batch;
    uint64_t bytes;
    int64_t count = 0;

    while (queue_get(queue, &batch, &bytes, NULL) == QUEUE_OK) {
        check_batch(&batch, count++ * 10);
        batch.release(&batch);
    }
    return count;
}

START_TEST(test_a_bounded_queue_passes_everything_in_order)
{
    struct producer producer = {.queue = new_queue(3000, false), .batches = 2000};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &producer);
    ck_assert_int_eq(drain(producer.queue), 2000);
    pthread_join(thread, NULL);
    queue_free(producer.queue);
}
END_TEST

START_TEST(test_cancel_wakes_a_blocked_producer)
{
    struct producer producer = {.queue = new_queue(6000, false), .batches = 100};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &producer);
    while (atomic_load(&producer.put) < 3)
        sched_yield();
    /* Three fill it; a fourth put can only wait. */
    queue_cancel(producer.queue);
    pthread_join(thread, NULL);
    ck_assert_int_eq(producer.last, QUEUE_CANCELLED);
    ck_assert_int_eq(atomic_load(&producer.put), 3);
    queue_free(producer.queue);
}
END_TEST

START_TEST(test_close_notifies_the_producer)
{
    struct producer producer = {.queue = new_queue(6000, false), .batches = 100};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &producer);
    while (atomic_load(&producer.put) < 3)
        sched_yield();
    queue_close(producer.queue);
    pthread_join(thread, NULL);
    ck_assert_int_eq(producer.last, QUEUE_CLOSED);
    queue_free(producer.queue);
}
END_TEST

/* Not the end: whoever reads on must not take it for that, whatever there was. */
START_TEST(test_what_was_closed_has_no_end)
{
    for (int round = 0; round < 4; round++) {
        bool finished = (round & 1) != 0;
        struct queue *queue = new_queue(1 << 20, (round & 2) != 0);
        struct osiris_error error = OSIRIS_ERROR_INIT;
        struct ArrowArray batch;
        uint64_t bytes;
        make_batch(0, 10, &batch);
        ck_assert_int_eq(queue_put(queue, &batch, 80, &error), QUEUE_OK);
        if (finished)
            queue_finish(queue);
        queue_close(queue);
        ck_assert_int_eq(queue_get(queue, &batch, &bytes, &error), QUEUE_CLOSED);
        ck_assert_ptr_null(batch.release);
        queue_free(queue);
    }
}
END_TEST

static void *get_one(void *context)
{
    struct ArrowArray batch;
    uint64_t bytes;
    static enum queue_result result;

    result = queue_get(context, &batch, &bytes, NULL);
    return &result;
}

START_TEST(test_cancel_wakes_a_waiting_reader)
{
    struct queue *queue = new_queue(3000, false);
    pthread_t thread;
    void *result;

    pthread_create(&thread, NULL, get_one, queue);
    queue_cancel(queue);
    pthread_join(thread, &result);
    ck_assert_int_eq(*(enum queue_result *)result, QUEUE_CANCELLED);
    queue_free(queue);
}
END_TEST

START_TEST(test_one_batch_larger_than_the_bound_passes)
{
    struct producer producer = {.queue = new_queue(10, false), .batches = 50};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &producer);
    ck_assert_int_eq(drain(producer.queue), 50);
    pthread_join(thread, NULL);
    queue_free(producer.queue);
}
END_TEST

START_TEST(test_an_elastic_queue_never_blocks_and_keeps_order)
{
    struct producer producer = {.queue = new_queue(3000, true), .batches = 500};

    /* No reader is there: without a file this would wait for ever. */
    produce(&producer);
    ck_assert_int_eq(producer.last, QUEUE_OK);
    ck_assert_int_eq(drain(producer.queue), 500);
    queue_free(producer.queue);
}
END_TEST

START_TEST(test_an_elastic_queue_with_a_reader)
{
    struct producer producer = {.queue = new_queue(3000, true), .batches = 5000};
    pthread_t thread;

    pthread_create(&thread, NULL, produce, &producer);
    ck_assert_int_eq(drain(producer.queue), 5000);
    pthread_join(thread, NULL);
    queue_free(producer.queue);
}
END_TEST

/* A driver has closed the spill file, and opened its own under the number: that is left as it is, whether the queue writes or reads. */
static void take_spill_file(bool before_reading)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct queue *queue = new_queue(2000, true);
    struct ArrowArray batch;
    char text[8] = "", path[] = "/tmp/osiris-theirs.XXXXXX";
    uint64_t bytes;
    int theirs = mkostemp(path, O_CLOEXEC), next = dup(theirs);

    ck_assert_int_eq(close(next), 0);
    for (int64_t i = 0; i < 5; i++) {
        make_batch(i * 10, 10, &batch);
        ck_assert_int_eq(queue_put(queue, &batch, 1000, NULL), QUEUE_OK);
    }
    ck_assert_int_eq(write(theirs, "theirs", 6), 6);
    ck_assert_int_eq(dup2(theirs, next), next);
    if (!before_reading) {
        make_batch(50, 10, &batch);
        ck_assert_int_eq(queue_put(queue, &batch, 1000, &error), QUEUE_ERROR);
    } else {
        enum queue_result result = QUEUE_OK;
        for (int i = 0; i < 5 && (result = queue_get(queue, &batch, &bytes, &error)) == QUEUE_OK; i++)
            batch.release(&batch);
        ck_assert_int_eq(result, QUEUE_ERROR);
    }
    ck_assert_ptr_nonnull(strstr(error.message, "has closed a descriptor that is not its own"));
    queue_free(queue);
    ck_assert_int_eq(pread(next, text, sizeof text - 1, 0), 6);
    ck_assert_str_eq(text, "theirs");
    (void)close(next);
    (void)close(theirs);
    (void)unlink(path);
}

START_TEST(test_a_spill_file_that_is_another_one)
{
    take_spill_file(false);
    take_spill_file(true);
}
END_TEST

START_TEST(test_a_spill_folder_that_cannot_be_used_is_an_error)
{
    struct queue *queue = queue_new(1, true, "/proc/nowhere");
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct ArrowArray batch;
    struct ArrowSchema schema;

    make_schema(&schema);
    ck_assert_int_eq(queue_set_schema(queue, &schema), 0);
    schema.release(&schema);
    make_batch(0, 1, &batch);
    ck_assert_int_eq(queue_put(queue, &batch, 10, &error), QUEUE_OK);
    make_batch(1, 1, &batch);
    ck_assert_int_eq(queue_put(queue, &batch, 10, &error), QUEUE_ERROR);
    ck_assert_ptr_nonnull(error.message);
    queue_free(queue);
}
END_TEST

START_TEST(test_batches_without_bytes_are_bounded)
{
    struct queue *queue = queue_new(1 << 20, true, "/proc/nowhere");
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    enum queue_result result = QUEUE_OK;
    struct ArrowArray batch;
    struct ArrowSchema schema;
    int count = 0;

    make_schema(&schema);
    ck_assert_int_eq(queue_set_schema(queue, &schema), 0);
    schema.release(&schema);
    for (; result == QUEUE_OK && count < 10000; count++) {
        make_batch(0, 0, &batch);
        result = queue_put(queue, &batch, 0, &error);
    }
    ck_assert_int_eq(result, QUEUE_ERROR);
    queue_free(queue);
}
END_TEST

/* Views. */

static void *release_view(void *context)
{
    struct ArrowArray *view = context;

    check_batch(view, 0);
    view->release(view);
    return NULL;
}

START_TEST(test_views_are_released_on_any_thread_in_any_order)
{
    enum { VIEWS = 8 };
    struct ArrowArray batch, views[VIEWS], child;
    pthread_t threads[VIEWS];

    make_batch(0, 100, &batch);
    ck_assert_int_eq(arrow_share(&batch, views, VIEWS), 0);
    ck_assert_ptr_null(batch.release);
    ck_assert_ptr_eq(views[0].children[0]->buffers[1], views[7].children[0]->buffers[1]);
    /* A child that is moved out keeps the buffers alive. */
    child = *views[0].children[0];
    views[0].children[0]->release = NULL;
    views[0].release(&views[0]);
    for (int i = 1; i < VIEWS; i++)
        pthread_create(&threads[i], NULL, release_view, &views[i]);
    for (int i = 1; i < VIEWS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(((const int64_t *)child.buffers[1])[99], 99);
    child.release(&child);
}
END_TEST

/* Batches in files. */

START_TEST(test_a_sliced_batch_comes_back_the_same)
{
    struct ArrowSchema schema;
    struct ArrowArray batch, back;
    uint64_t length;
    FILE *file = tmpfile();

    make_schema(&schema);
    make_batch(0, 100, &batch);
    batch.length = 90;
    for (int i = 0; i < 2; i++) {
        batch.children[i]->offset = 7;
        batch.children[i]->length = 90;
        batch.children[i]->null_count = -1;
    }
    ck_assert_int_eq(batch_write(fileno(file), 128, &schema, &batch, &length, NULL), 0);
    ck_assert_uint_eq(length % 64, 0);
    ck_assert_int_eq(batch_read(fileno(file), 128, length, &schema, &back, NULL), 0);
    ck_assert_int_eq(arrow_check_array(&schema, &back, NULL), 0);
    check_batch(&back, 7);
    back.release(&back);
    batch.release(&batch);
    schema.release(&schema);
    fclose(file);
}
END_TEST

START_TEST(test_a_damaged_file_is_an_error)
{
    struct ArrowSchema schema;
    struct ArrowArray batch, back;
    uint64_t length;
    unsigned seed = 1;
    FILE *file = tmpfile();

    make_schema(&schema);
    make_batch(0, 3, &batch);
    ck_assert_int_eq(batch_write(fileno(file), 0, &schema, &batch, &length, NULL), 0);
    ck_assert_int_eq(batch_read(fileno(file), 0, length + 64, &schema, &back, NULL), -1);
    for (int round = 0; round < 2000; round++) {
        uint8_t byte = (uint8_t)rand_r(&seed), old;
        off_t at = (off_t)((unsigned)rand_r(&seed) % 256);
        ck_assert_int_eq(pread(fileno(file), &old, 1, at), 1);
        ck_assert_int_eq(pwrite(fileno(file), &byte, 1, at), 1);
        if (batch_read(fileno(file), 0, length, &schema, &back, NULL) == 0)
            back.release(&back);
        ck_assert_int_eq(pwrite(fileno(file), &old, 1, at), 1);
    }
    batch.release(&batch);
    schema.release(&schema);
    fclose(file);
}
END_TEST

UNIT_MAIN("queue", test_a_bounded_queue_passes_everything_in_order,
          test_cancel_wakes_a_blocked_producer, test_close_notifies_the_producer, test_what_was_closed_has_no_end,
          test_cancel_wakes_a_waiting_reader, test_one_batch_larger_than_the_bound_passes,
          test_an_elastic_queue_never_blocks_and_keeps_order, test_an_elastic_queue_with_a_reader,
          test_a_spill_file_that_is_another_one, test_a_spill_folder_that_cannot_be_used_is_an_error, test_batches_without_bytes_are_bounded,
          test_views_are_released_on_any_thread_in_any_order,
          test_a_sliced_batch_comes_back_the_same, test_a_damaged_file_is_an_error)
