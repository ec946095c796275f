/* A step's inputs as Arrow streams over queues; see input-streams.h. */
#include "worker/input-streams.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/arrow/check.h"
#include "worker/edges.h"
#include "worker/run.h"
#include "worker/step-messages.h"

/*
 * A driver receives a struct ArrowArrayStream of its host. It may move it (then the copy is the stream) and release the copy, as
 * Arrow libraries do. So only private_data of the struct is used, and what it points to belongs to the hosting.
 */
struct input_stream {
    struct ArrowArrayStream given; /* the driver's own, to move or not */
    struct hosting *hosting;
    struct queue *queue;
    struct link_input *link; /* or NULL */
    const struct step_edge *edge;
    int64_t rows; /* returned to the driver */
    bool ended;   /* the end of the stream was returned */
    atomic_bool released, over; /* by the driver; and the run is */
    char error[256];
};

static int from_result(struct step *step, struct input_stream *stream, enum queue_result result,
                       struct osiris_error *error)
{
    switch (result) {
    case QUEUE_OK:
    case QUEUE_END:
        return 0;
    case QUEUE_CANCELLED:
    case QUEUE_CLOSED:
        snprintf(stream->error, sizeof stream->error, "the step was stopped");
        return ECANCELED;
    case QUEUE_ERROR:
        break;
    }
    snprintf(stream->error, sizeof stream->error, "%s", error->message);
    /* The driver only sees an errno; the step's error has the details. */
    reports_move_error(step, error);
    return EIO;
}

/* Reading too late is an error, not the end of the stream: that would lose the rest without notice. */
static int refuse_reading(struct step *step, struct input_stream *stream)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_INTERNAL, "the driver \"%s\" reads its input \"%s\" %s; this is a fault of the driver",
                     step->plan.driver->name, stream->edge->name,
                     atomic_load(&stream->released) ? "after it has released it" : "after its run");
    snprintf(stream->error, sizeof stream->error, "%s", error.message);
    reports_add_error(step, &error);
    return EINVAL;
}

/* The step that reads the stream. NULL: it may not be read; *result says why. */
static struct step *enter(struct ArrowArrayStream *self, int *result)
{
    struct input_stream *stream = self->private_data;
    struct step *step = hosting_enter(stream->hosting);

    *result = EINVAL;
    if (step == NULL || !(atomic_load(&stream->released) || atomic_load(&stream->over)))
        return step;
    *result = refuse_reading(step, stream);
    hosting_leave(step);
    return NULL;
}

static int get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out)
{
    struct input_stream *stream = self->private_data;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    int result;
    struct step *step = enter(self, &result);

    if (step == NULL)
        return result;
    signs_begin_wait(&step->signs);
    enum queue_result got = queue_get_schema(stream->queue, out);
    signs_end_wait(&step->signs);
    result = from_result(step, stream, got, &error);
    hosting_leave(step);
    return result;
}

static int take_next(struct step *step, struct input_stream *stream, struct ArrowArray *out)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    uint64_t bytes = 0;

    signs_begin_wait(&step->signs);
    if (step->plan.driver->kind == OSIRIS_WRITER)
        files_write_back(step);
    enum queue_result result = queue_get(stream->queue, out, &bytes, &error);
    signs_end_wait(&step->signs);

    if (result == QUEUE_OK || result == QUEUE_END)
        atomic_store_explicit(&step->progress.touched, true, memory_order_relaxed);
    if (result == QUEUE_OK && stream->link != NULL) {
        link_input_taken(stream->link, bytes);
        bytes = link_input_bytes(stream->link, out);
    }
    if (result == QUEUE_OK && step->plan.driver->kind == OSIRIS_WRITER) {
        progress_add(&step->progress, out->length, bytes);
    }
    stream->ended = stream->ended || result == QUEUE_END;
    if (result == QUEUE_OK)
        stream->rows += out->length;
    return from_result(step, stream, result, &error);
}

static int get_next(struct ArrowArrayStream *self, struct ArrowArray *out)
{
    int result;
    struct step *step = enter(self, &result);

    out->release = NULL;
    if (step == NULL)
        return result;
    result = take_next(step, self->private_data, out);
    hosting_leave(step);
    return result;
}

static const char *get_last_error(struct ArrowArrayStream *self)
{
    const struct input_stream *stream = self->private_data;

    return stream->error;
}

static void close_queue(struct input_stream *stream)
{
    queue_close(stream->queue);
    if (stream->link != NULL)
        link_input_close(stream->link);
}

/* The driver is done with the stream; the host cleans up when the driver is closed. If a writer has read nothing, it remains to be
 * checked whether there was something to read. */
static void release(struct ArrowArrayStream *self)
{
    struct input_stream *stream = self->private_data;
    struct step *step = hosting_enter(stream->hosting);

    self->release = NULL;
    if (step == NULL)
        return;
    atomic_store(&stream->released, true);
    if (step->plan.driver->kind != OSIRIS_WRITER || stream->rows > 0)
        close_queue(stream);
    hosting_leave(step);
}

int input_streams_open(struct step *step)
{
    static struct osiris_input none; /* an empty array, but not NULL: not every language's arrays may be */
    struct hosting *hosting = step->request.hosting;

    hosting->inputs = &none;
    if (step->plan.input_count == 0)
        return 0;
    hosting->streams = calloc(step->plan.input_count, sizeof *hosting->streams);
    hosting->inputs = calloc(step->plan.input_count, sizeof *hosting->inputs);
    if (hosting->streams == NULL || hosting->inputs == NULL)
        return -1;
    for (size_t i = 0; i < step->plan.input_count; i++) {
        struct input_stream *stream = &hosting->streams[i];
        stream->hosting = hosting;
        stream->edge = &step->plan.inputs[i];
        stream->queue = step->plan.inputs[i].queue;
        stream->link = step->plan.inputs[i].link_input;
        stream->given = (struct ArrowArrayStream){.get_schema = get_schema,
                                                  .get_next = get_next,
                                                  .get_last_error = get_last_error,
                                                  .release = release,
                                                  .private_data = stream};
        hosting->inputs[i] = (struct osiris_input){.name = step->plan.inputs[i].name,
                                                   .step_id = step->plan.inputs[i].other_id,
                                                   .stream = &stream->given};
    }
    return 0;
}

void input_streams_end(struct step *step)
{
    for (size_t i = 0; step->request.hosting->streams != NULL && i < step->plan.input_count; i++)
        atomic_store(&step->request.hosting->streams[i].over, true);
}

/* Whether there is an unread row. -1: stopped before that was known. */
static int has_rows(struct step *step, struct input_stream *stream)
{
    int64_t before = stream->rows;

    while (!stream->ended && stream->rows == before) {
        struct ArrowArray batch;
        if (take_next(step, stream, &batch) != 0)
            return -1;
        if (batch.release != NULL)
            batch.release(&batch);
    }
    return stream->rows > before;
}

static void log_unread(struct step *step, const char *level, const struct input_stream *stream)
{
    step_log(step, level, "%.64s stopped reading after %lld row%s of step \"%.64s\"", step->plan.component,
             (long long)stream->rows, stream->rows == 1 ? "" : "s", stream->edge->other_id);
}

static int refuse_unread(const struct step *step, const struct input_stream *stream,
                         struct osiris_error *error)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "the driver \"%s\" has returned success without reading any row of step "
                            "\"%s\" (its input \"%s\"), which has rows; this is a fault of the driver",
                            step->plan.driver->name, stream->edge->other_id, stream->edge->name);
}

int input_streams_check_read(struct step *step, struct osiris_error *error)
{
    bool writes = step->plan.driver->kind == OSIRIS_WRITER;

    /* A processor whose readers want no more batches need not read to the end. */
    if (step->plan.output_count > 0 && edges_open_readers(step) == 0)
        return 0;
    for (size_t i = 0; i < step->plan.input_count; i++) {
        struct input_stream *stream = &step->request.hosting->streams[i];
        if (stream->ended)
            continue;
        if (writes && stream->rows == 0) {
            int found = has_rows(step, stream);
            if (found != 0)
                return found < 0 ? osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped")
                                 : refuse_unread(step, stream, error);
        } else {
            log_unread(step, writes || stream->rows == 0 ? "warning" : "info", stream);
        }
    }
    return 0;
}
