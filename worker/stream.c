/* A step's inputs as Arrow streams over queues; see run.h. */
#include <string.h>

#include "core/arrow-check.h"
#include "worker/run.h"

struct input_stream {
    struct step *step;
    struct queue *queue;
    struct link_input *link; /* or NULL */
    char error[256];
};

static int from_result(struct input_stream *stream, enum queue_result result,
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
    snprintf(stream->error, sizeof stream->error, "%s",
             error->message == NULL ? "out of memory" : error->message);
    /* The driver only sees an errno; the step's error shall have the whole story. */
    pthread_mutex_lock(&stream->step->report_lock);
    if (stream->step->reported.category == 0)
        osiris_error_move(&stream->step->reported, error);
    pthread_mutex_unlock(&stream->step->report_lock);
    return EIO;
}

static int get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out)
{
    struct input_stream *stream = self->private_data;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    signs_begin_wait(stream->step);
    enum queue_result result = queue_get_schema(stream->queue, out);
    signs_end_wait(stream->step);
    return from_result(stream, result, &error);
}

/* The writer has come back for more: what it made of the last batch is in its files. */
static void write_back(struct step *step)
{
    pthread_mutex_lock(&step->report_lock);
    for (struct step_output_file *file = step->files; file != NULL; file = file->next)
        output_write_back(file->output);
    pthread_mutex_unlock(&step->report_lock);
}

static int get_next(struct ArrowArrayStream *self, struct ArrowArray *out)
{
    struct input_stream *stream = self->private_data;
    struct step *step = stream->step;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    uint64_t bytes = 0;

    signs_begin_wait(step);
    if (step->driver->kind == OSIRIS_WRITER)
        write_back(step);
    enum queue_result result = queue_get(stream->queue, out, &bytes, &error);
    signs_end_wait(step);

    if (result == QUEUE_OK || result == QUEUE_END)
        atomic_store_explicit(&step->touched, true, memory_order_relaxed);
    if (result == QUEUE_OK && stream->link != NULL) {
        link_input_taken(stream->link, bytes);
        bytes = link_input_bytes(stream->link, out);
    }
    if (result == QUEUE_OK && step->driver->kind == OSIRIS_WRITER) {
        atomic_fetch_add_explicit(&step->rows, out->length, memory_order_relaxed);
        atomic_fetch_add_explicit(&step->bytes, (int_fast64_t)bytes, memory_order_relaxed);
    }
    return from_result(stream, result, &error);
}

static const char *get_last_error(struct ArrowArrayStream *self)
{
    const struct input_stream *stream = self->private_data;

    return stream->error;
}

/* The stream is the host's: a driver that releases it only ends its reading. */
static void release(struct ArrowArrayStream *self)
{
    struct input_stream *stream = self->private_data;

    queue_close(stream->queue);
    if (stream->link != NULL)
        link_input_close(stream->link);
    self->release = NULL;
}

struct ArrowArrayStream *streams_new(struct step *step)
{
    struct ArrowArrayStream *streams = calloc(step->input_count + 1, sizeof *streams);

    for (size_t i = 0; streams != NULL && i < step->input_count; i++) {
        struct input_stream *stream = calloc(1, sizeof *stream);
        if (stream == NULL) {
            streams_free(streams, i);
            return NULL;
        }
        stream->step = step;
        stream->queue = step->inputs[i].queue;
        stream->link = step->inputs[i].link_input;
        streams[i] = (struct ArrowArrayStream){.get_schema = get_schema,
                                               .get_next = get_next,
                                               .get_last_error = get_last_error,
                                               .release = release,
                                               .private_data = stream};
    }
    return streams;
}

void streams_free(struct ArrowArrayStream *streams, size_t count)
{
    for (size_t i = 0; streams != NULL && i < count; i++)
        free(streams[i].private_data);
    free(streams);
}
