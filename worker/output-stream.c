/* A step's output, pulled; see output-stream.h. */
#include "worker/output-stream.h"

#include "core/arrow/check.h"
#include "worker/columns.h"
#include "worker/edges.h"
#include "worker/run.h"
#include "worker/step-messages.h"

static int blame(const struct step *step, struct osiris_error *error)
{
    return osiris_error_prefix(error, "the driver \"%s\"", step->plan.driver->name);
}

/* Why a stream's callback has failed, if it has: the driver's report, else the stream's own text. */
static int end_callback(struct step *step, struct ArrowArrayStream *stream, int number,
                         const char *verb, struct osiris_error *error)
{
    const char *text = number == 0 || reports_have_error(step) ? NULL : stream->get_last_error(stream);
    if (text == NULL || text[0] == '\0')
        return reports_end_verb(step, verb, number, error);
    _cleanup_free_ char *clean = step_clean_text(step, text);
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s", clean == NULL ? "" : clean);
    error->native_code = number;
    return -1;
}

static int pull_batch(struct step *step, struct ArrowArrayStream *stream,
                      const struct ArrowSchema *schema, bool *end, struct osiris_error *error)
{
    struct ArrowArray batch = {0};

    signs_enter(&step->signs, "get_next");
    int failed = stream->get_next(stream, &batch);
    signs_leave(&step->signs);
    if (end_callback(step, stream, failed, "the output's get_next", error) < 0) {
        if (failed == 0 && batch.release != NULL)
            batch.release(&batch);
        return -1;
    }
    *end = batch.release == NULL;
    if (*end)
        return 0;
    if (arrow_check_array(schema, &batch, error) < 0) {
        /* Its release may be as malformed as the rest, but not calling it would certainly leak. */
        batch.release(&batch);
        return blame(step, error);
    }
    uint64_t bytes = arrow_array_bytes(schema, &batch);
    progress_add(&step->progress, batch.length, bytes);
    step->own.batches++;
    return edges_hand_out(step, schema, &batch, bytes, error);
}

static int pull_all(struct step *step, struct ArrowArrayStream *stream,
                    const struct ArrowSchema *schema, struct osiris_error *error)
{
    bool end = false;

    while (!end) {
        if (progress_is_cancelled(&step->progress))
            return osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped");
        if (pull_batch(step, stream, schema, &end, error) < 0)
            return -1;
        /* No reader wants more: the run is done. */
        if (step->plan.output_count > 0 && edges_open_readers(step) == 0)
            return 0;
    }
    return 0;
}

static int pull(struct step *step, struct ArrowArrayStream *stream, struct osiris_error *error)
{
    struct ArrowSchema schema = {0};

    signs_enter(&step->signs, "get_schema");
    int failed = stream->get_schema(stream, &schema);
    signs_leave(&step->signs);
    if (end_callback(step, stream, failed, "the output's get_schema", error) < 0) {
        if (failed == 0 && schema.release != NULL)
            schema.release(&schema);
        return -1;
    }
    int result = arrow_check_schema(&schema, error) < 0 ? blame(step, error)
                                                        : edges_set_schema(step, &schema, error);
    if (result == 0) {
        columns_warn_of_equal_names(step, &schema);
        result = pull_all(step, stream, &schema, error);
    }
    if (schema.release != NULL)
        schema.release(&schema);
    return result;
}

void output_stream_release(struct step *step, struct ArrowArrayStream *output)
{
    signs_enter(&step->signs, "release");
    if (output->release != NULL)
        output->release(output);
    signs_leave(&step->signs);
}

int output_stream_pull(struct step *step, struct ArrowArrayStream *output, struct osiris_error *error)
{
    if (output->release == NULL || output->get_schema == NULL || output->get_next == NULL ||
        output->get_last_error == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "the driver \"%s\" gave %s; this is a fault of the driver",
                         step->plan.driver->name,
                         output->release == NULL ? "no output stream"
                                                : "an output stream without all of its functions");
        output_stream_release(step, output);
        return -1;
    }
    int result = pull(step, output, error);
    output_stream_release(step, output);
    return result < 0 ? -1 : reports_end_verb(step, "the output's release", 0, error);
}
