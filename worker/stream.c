/* A step's inputs as Arrow streams over queues; see run.h. */
#include <string.h>

#include "core/arrow-check.h"
#include "core/json-build.h"
#include "worker/run.h"

struct input_stream {
    struct step *step;
    struct queue *queue;
    struct link_input *link; /* or NULL */
    const struct step_edge *edge;
    int64_t rows; /* given */
    bool ended;   /* and the end was, too */
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
    stream->ended = stream->ended || result == QUEUE_END;
    if (result == QUEUE_OK)
        stream->rows += out->length;
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
        stream->edge = &step->inputs[i];
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

/* Whether there is a row that was not read. -1: it was stopped before that was known. */
static int has_rows(struct ArrowArrayStream *self)
{
    const struct input_stream *stream = self->private_data;
    int64_t before = stream->rows;

    while (!stream->ended && stream->rows == before) {
        struct ArrowArray batch;
        if (get_next(self, &batch) != 0)
            return -1;
        if (batch.release != NULL)
            batch.release(&batch);
    }
    return stream->rows > before;
}

static void tell(const struct step *step, const char *level, const struct input_stream *stream)
{
    json_object *data = json_object_new_object();
    char text[256];

    snprintf(text, sizeof text, "%.64s has read %lld rows of step \"%.64s\" and wanted no more",
             step->component, (long long)stream->rows, stream->edge->other_id);
    json_add_string(data, "step_id", step->id);
    json_add_string(data, "level", level);
    json_add_string(data, "message", text);
    answer_message(step->run->channel, "log", data, true);
}

static int refuse_unread(const struct step *step, const struct input_stream *stream,
                         struct osiris_error *error)
{
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "the driver \"%s\" says it has written all, and has read no row of step "
                            "\"%s\" (its input \"%s\"), which has some; this is a fault of the driver",
                            step->driver->name, stream->edge->other_id, stream->edge->name);
}

int streams_check_read(const struct step *step, struct ArrowArrayStream *streams,
                       struct osiris_error *error)
{
    bool writes = step->driver->kind == OSIRIS_WRITER;

    /* A processor whose readers have had enough has, too. */
    if (step->output_count > 0 && edges_open_readers(step) == 0)
        return 0;
    for (size_t i = 0; i < step->input_count; i++) {
        const struct input_stream *stream = streams[i].private_data;
        if (stream->ended)
            continue;
        if (writes && stream->rows == 0) {
            int found = has_rows(&streams[i]);
            if (found != 0)
                return found < 0 ? osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped")
                                 : refuse_unread(step, stream, error);
        } else {
            tell(step, writes || stream->rows == 0 ? "warning" : "info", stream);
        }
    }
    return 0;
}

void streams_free(struct ArrowArrayStream *streams, size_t count)
{
    for (size_t i = 0; streams != NULL && i < count; i++)
        free(streams[i].private_data);
    free(streams);
}
