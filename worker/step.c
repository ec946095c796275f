/*
 * The thread of a step: open, run, pull the output, answer, wait for the decision, act on it, close; see
 * run.h. All verbs of a driver but interrupt are called here, so that they come from one thread.
 */
#include <string.h>

#include "core/arrow/check.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "worker/lifecycle.h"
#include "worker/run.h"

/* Output. */

static int blame(const struct step *step, struct osiris_error *error)
{
    return osiris_error_prefix(error, "the driver \"%s\"", step->driver->name);
}

/* What a stream's callback failed of, if it has: the driver's report, else the stream's own words. */
static int end_callback(struct step *step, struct ArrowArrayStream *stream, int number,
                         const char *verb, struct osiris_error *error)
{
    const char *text = number == 0 || host_has_report(step) ? NULL : stream->get_last_error(stream);
    if (text == NULL || text[0] == '\0')
        return host_end_verb(step, verb, number, error);
    _cleanup_free_ char *clean = host_clean_text(step, text);
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s", clean == NULL ? "" : clean);
    error->native_code = number;
    return -1;
}

static int pull_batch(struct step *step, struct ArrowArrayStream *stream,
                      const struct ArrowSchema *schema, bool *end, struct osiris_error *error)
{
    struct ArrowArray batch = {0};

    signs_enter(step, "get_next");
    int failed = stream->get_next(stream, &batch);
    signs_leave(step);
    if (end_callback(step, stream, failed, "the output's get_next", error) < 0) {
        if (failed == 0 && batch.release != NULL)
            batch.release(&batch);
        return -1;
    }
    *end = batch.release == NULL;
    if (*end)
        return 0;
    if (arrow_check_array(schema, &batch, error) < 0) {
        /* Its release is as suspect as the rest, but not to call it would surely leak. */
        batch.release(&batch);
        return blame(step, error);
    }
    uint64_t bytes = arrow_array_bytes(schema, &batch);
    atomic_fetch_add_explicit(&step->rows, batch.length, memory_order_relaxed);
    atomic_fetch_add_explicit(&step->bytes, (int_fast64_t)bytes, memory_order_relaxed);
    step->batches++;
    return edges_hand_out(step, schema, &batch, bytes, error);
}

static int pull_all(struct step *step, struct ArrowArrayStream *stream,
                    const struct ArrowSchema *schema, struct osiris_error *error)
{
    bool end = false;

    while (!end) {
        if (atomic_load_explicit(&step->cancelled, memory_order_relaxed))
            return osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped");
        if (pull_batch(step, stream, schema, &end, error) < 0)
            return -1;
        /* All readers have had enough: so has the run. */
        if (step->output_count > 0 && edges_open_readers(step) == 0)
            return 0;
    }
    return 0;
}

static int pull_output(struct step *step, struct ArrowArrayStream *stream,
                       struct osiris_error *error)
{
    struct ArrowSchema schema = {0};

    signs_enter(step, "get_schema");
    int failed = stream->get_schema(stream, &schema);
    signs_leave(step);
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

/* Running. */

static void release_output(struct step *step, struct ArrowArrayStream *output)
{
    signs_enter(step, "release");
    if (output->release != NULL)
        output->release(output);
    signs_leave(step);
}

static int run_verb(struct step *step, struct osiris_error *error)
{
    struct ArrowArrayStream output = {0};
    bool has_output = step->driver->kind != OSIRIS_WRITER;

    signs_enter(step, "run");
    int result = step->driver->run(step->state, step->hosting->inputs, step->input_count,
                                   has_output ? &output : NULL);
    signs_leave(step);
    if (host_end_verb(step, "run", result, error) < 0) {
        release_output(step, &output);
        return -1;
    }
    if (!has_output)
        return 0;
    if (output.release == NULL || output.get_schema == NULL || output.get_next == NULL ||
        output.get_last_error == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                         "the driver \"%s\" gave %s; this is a fault of the driver",
                         step->driver->name,
                         output.release == NULL ? "no output stream"
                                                : "an output stream without all of its functions");
        release_output(step, &output);
        return -1;
    }
    result = pull_output(step, &output, error);
    release_output(step, &output);
    return result < 0 ? -1 : host_end_verb(step, "the output's release", 0, error);
}

static int run_with_inputs(struct step *step, struct osiris_error *error)
{
    if (streams_open(step) < 0)
        return osiris_error_set_errno(error, ENOMEM, "cannot run the step");
    int result = run_verb(step, error);
    if (result == 0)
        result = streams_check_read(step, error);
    streams_end(step);
    return result;
}

static int open_verb(struct step *step, struct osiris_error *error)
{
    signs_enter(step, "open");
    int result = step->driver->open(&step->hosting->table, &step->state);
    signs_leave(step);
    if (host_end_verb(step, "open", result, error) < 0)
        return -1;
    pthread_mutex_lock(&step->interrupt_lock);
    step->driver_open = true;
    pthread_mutex_unlock(&step->interrupt_lock);
    return 0;
}

static bool is_run(const struct step *step)
{
    return strcmp(step->verb, "run") == 0;
}

static int run_step(struct step *step, struct osiris_error *error)
{
    if (open_verb(step, error) < 0)
        return -1;
    if (!is_run(step))
        return inquire(step, error);
    return run_with_inputs(step, error) < 0 ? -1 : files_finish_all(step, error);
}

/* Answering. */

static int64_t output_bytes(const struct step *step)
{
    int64_t total = 0;

    if (step->files == NULL)
        return atomic_load(&step->bytes);
    for (const struct step_output_file *file = step->files; file != NULL; file = file->next) {
        int64_t size = output_size(file->output);
        /* Of a stream nobody knows what went out. */
        total += size >= 0 ? size : atomic_load(&step->bytes);
    }
    return total;
}

static const char *rows_metric(int kind)
{
    return kind == OSIRIS_EXTRACTOR ? "rows_read"
           : kind == OSIRIS_WRITER  ? "rows_written"
                                    : "rows_processed";
}

static void answer_success(struct step *step, int64_t started_ns)
{
    json_object *result = json_object_new_object();
    json_object *outputs = json_object_new_object();
    json_object *metrics = json_object_new_object();
    int64_t rows = atomic_load(&step->rows);

    json_add_string(result, "status", "success");
    if (step->driver->kind != OSIRIS_WRITER) {
        json_object *stream = json_object_new_object();
        json_add_integer(stream, "rows", rows);
        json_add_integer(stream, "bytes", atomic_load(&step->bytes));
        json_add_integer(stream, "batches", step->batches);
        json_add(outputs, "df", stream);
    }
    json_add(result, "outputs", outputs);
    json_add_integer(metrics, rows_metric(step->driver->kind), rows);
    json_add_integer(metrics, "bytes", output_bytes(step));
    json_add(result, "metrics", metrics);
    if (step->result != NULL)
        json_add(result, "result", json_object_get(step->result));
    json_add_number(result, "duration_ms", (double)(clock_monotonic_ns() - started_ns) / 1e6);
    answer_result(step->run->channel, step->request_id, result);
}

/* A step that was told to stop did not fail of what it met on its way out. */
static void make_cancelled(struct step *step, struct osiris_error *error)
{
    pthread_mutex_lock(&step->run->steps_lock);
    _cleanup_free_ char *cause = step->stopped_by == NULL ? NULL : strdup(step->stopped_by);
    pthread_mutex_unlock(&step->run->steps_lock);
    if (cause != NULL)
        osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "stopped because step \"%s\" failed",
                         cause);
    else
        osiris_error_set(error, OSIRIS_ERROR_CANCELLED, "cancelled");
}

static void answer_failure(struct step *step, struct osiris_error *error)
{
    if (atomic_load(&step->cancelled))
        make_cancelled(step, error);
    error->step_id = strdup(step->id);
    error->component = strdup(step->component);
    if (atomic_load(&step->touched))
        answer_error(step->run->channel, step->request_id, error);
    else
        answer_untouched(step->run->channel, step->request_id, error);
}

/* Deciding. */

static enum step_decision wait_for_decision(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    while (step->decision == DECIDE_NOTHING)
        pthread_cond_wait(&step->decided, &step->run->steps_lock);
    enum step_decision decision = step->decision;
    step->decision = DECIDE_NOTHING;
    pthread_mutex_unlock(&step->run->steps_lock);
    return decision;
}

/* The group's outputs are published when all of them are ready: what a commit has opened, too. */
static int commit(struct step *step, struct osiris_error *error)
{
    int result = 0;

    if (step->driver->commit != NULL && is_run(step)) {
        signs_enter(step, "commit");
        result = step->driver->commit(step->state);
        signs_leave(step);
    }
    /* Also what a thread of the driver's has reported since its run. */
    return host_end_verb(step, "commit", result, error) < 0 ? -1 : files_make_ready(step, error);
}

static int publish(struct step *step, struct osiris_error *error)
{
    struct output *last = NULL;

    pthread_mutex_lock(&step->run->steps_lock);
    step->committed = true;
    pthread_mutex_unlock(&step->run->steps_lock);
    for (struct step_output_file *file = step->files; file != NULL; file = file->next) {
        int64_t size = output_size(file->output);
        if (output_is_stream(file->output))
            continue;
        last = file->output;
        if (output_publish(file->output, error) < 0)
            return -1;
        json_object *entry = json_object_new_object();
        json_add_string(entry, "step_id", step->id);
        json_add_string(entry, "path", output_path(file->output));
        json_add_integer(entry, "bytes", size < 0 ? 0 : size);
        pthread_mutex_lock(&step->run->steps_lock);
        if (step->batch != NULL)
            json_append(step->batch->published, entry);
        else
            json_object_put(entry);
        pthread_mutex_unlock(&step->run->steps_lock);
    }
    return last == NULL ? 0 : output_sync_folder(last, error);
}

static void abort_driver(struct step *step)
{
    host_forget_report(step);
    if (!step->driver_open || step->driver->abort == NULL || !is_run(step))
        return;
    signs_enter(step, "abort");
    step->driver->abort(step->state);
    signs_leave(step);
    host_warn_of_report(step, "abort");
}

static void close_driver(struct step *step)
{
    pthread_mutex_lock(&step->interrupt_lock);
    bool open = step->driver_open;
    step->driver_open = false;
    pthread_mutex_unlock(&step->interrupt_lock);
    signs_enter(step, "close");
    if (open) {
        step->driver->close(step->state);
        host_warn_of_report(step, "close");
    }
    hosting_end(step->hosting);
    signs_leave(step);
    files_close_all(step);
    host_remove_temp_dir(step);
    host_sweep_artifacts(step);
}

static void name_error(const struct step *step, struct osiris_error *error)
{
    if (error->category == 0)
        return;
    free(error->step_id);
    free(error->component);
    error->step_id = strdup(step->id);
    error->component = strdup(step->component);
}

/* Acts on decisions until the driver is closed. */
static void follow_decisions(struct step *step)
{
    bool committed = false;

    for (;;) {
        struct osiris_error error = OSIRIS_ERROR_INIT;
        enum step_decision decision = wait_for_decision(step);
        if (decision == DECIDE_COMMIT || decision == DECIDE_PUBLISH) {
            if (decision == DECIDE_COMMIT)
                committed = commit(step, &error) == 0;
            else
                publish(step, &error);
            name_error(step, &error);
            decide_done(step, &error);
            continue;
        }
        if (decision == DECIDE_ABORT && !committed)
            abort_driver(step);
        close_driver(step);
        pthread_mutex_lock(&step->run->steps_lock);
        step->phase = STEP_CLOSED;
        pthread_mutex_unlock(&step->run->steps_lock);
        decide_done(step, &error);
        return;
    }
}

/* One attempt, up to what becomes of it. */
static void attempt(struct step *step)
{
    struct run *run = step->run;
    struct osiris_error error = OSIRIS_ERROR_INIT;
    int64_t started_ns = clock_monotonic_ns();

    lifecycle_name_thread(step->id, step->component);
    host_values_serve(&step->hosting->values);
    bool success = run_step(step, &error) == 0;
    pthread_mutex_lock(&run->steps_lock);
    step->succeeded = success;
    step->phase = STEP_WAITING;
    pthread_mutex_unlock(&run->steps_lock);
    /* The cause is answered before its neighbours can know of it. */
    if (success)
        answer_success(step, started_ns);
    else
        answer_failure(step, &error);
    if (!success)
        run_cancel(run, step->group, step);
    edges_end(step, success);
    osiris_error_clear(&error);
    follow_decisions(step);
    pthread_mutex_lock(&run->steps_lock);
    step->busy = false;
    run->busy_threads--;
    pthread_cond_broadcast(&run->work_ended);
    pthread_mutex_unlock(&run->steps_lock);
}

static enum step_call wait_for_call(struct step *step)
{
    while (sem_wait(&step->called) < 0)
        continue; /* a signal's handler has run */
    return step->call;
}

static void *step_thread(void *argument)
{
    struct step *step = argument;

    while (wait_for_call(step) == CALL_RUN)
        attempt(step);
    return NULL;
}

/* From the main thread. */

static void call_thread(struct step *step, enum step_call call)
{
    if (call == CALL_RUN) {
        pthread_mutex_lock(&step->run->steps_lock);
        step->phase = STEP_RUNNING;
        step->busy = true;
        step->run->busy_threads++;
        pthread_mutex_unlock(&step->run->steps_lock);
    }
    step->call = call;
    (void)sem_post(&step->called);
}

/* Made once: a thread costs more than all else that starting a step does. */
static int make_thread(struct step *step, struct osiris_error *error)
{
    int reason = step->has_thread ? 0 : pthread_create(&step->thread, NULL, step_thread, step);

    step->has_thread = reason == 0;
    if (reason == 0)
        return 0;
    pthread_mutex_lock(&step->run->steps_lock);
    step->phase = STEP_CLOSED;
    pthread_mutex_unlock(&step->run->steps_lock);
    return osiris_error_set_errno(error, reason, "cannot start the step's thread");
}

void step_end_thread(struct step *step)
{
    if (!step->has_thread)
        return;
    call_thread(step, CALL_END);
    (void)pthread_join(step->thread, NULL);
    step->has_thread = false;
}

/* The thread has still to say that it has done its work. */
static void wait_for_thread(struct step *step)
{
    pthread_mutex_lock(&step->run->steps_lock);
    while (step->busy)
        pthread_cond_wait(&step->run->work_ended, &step->run->steps_lock);
    pthread_mutex_unlock(&step->run->steps_lock);
}

/* After an abort: as if it had never been requested. */
static void renew(struct step *step)
{
    wait_for_thread(step);
    free(step->request_id);
    free(step->verb);
    json_object_put(step->result);
    free(step->temp_dir);
    host_values_empty(&step->hosting->values);
    step->request_id = step->temp_dir = NULL;
    step->verb = NULL;
    step->result = NULL;
    step->hosting = NULL;
    osiris_error_clear(&step->reported);
    atomic_store(&step->rows, 0);
    atomic_store(&step->bytes, 0);
    atomic_store(&step->touched, false);
    step->batches = 0;
    step->succeeded = step->outputs_complete = false;
    step->decision = DECIDE_NOTHING;
    step->state = NULL;
}

/* Nothing of the last attempt stays; whose a process is, nobody knows while other steps run. A thread whose driver is closed may
 * still be on its way to wait: it starts none. */
static void end_processes(struct run *run)
{
    bool alone = true;

    pthread_mutex_lock(&run->steps_lock);
    for (size_t i = 0; i < run->step_count; i++)
        alone = alone && (run->steps[i].phase == STEP_IDLE || run->steps[i].phase == STEP_CLOSED);
    pthread_mutex_unlock(&run->steps_lock);
    if (alone)
        lifecycle_end_children();
}

int step_start(struct step *step, json_object *params, const char *request_id,
               struct osiris_error *error)
{
    json_object *config = json_member(params, "config");
    const char *verb = json_member_string(params, "verb", "run");

    pthread_mutex_lock(&step->run->steps_lock);
    enum step_phase phase = step->phase;
    bool committed = step->committed;
    pthread_mutex_unlock(&step->run->steps_lock);
    if ((phase != STEP_IDLE && phase != STEP_CLOSED) || committed)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                                "execute_step: the step \"%s\" was requested before", step->id);
    if (phase == STEP_CLOSED) {
        renew(step);
        end_processes(step->run);
    }
    if (strcmp(verb, "run") != 0 && !inquire_is_verb(verb))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "execute_step: unknown verb \"%s\"", verb);
    /* Of its neighbours, too, before the first of them starts. */
    edges_renew_old(step->run);
    if (edges_open(step, params, error) < 0)
        return -1;
    step->verb = strdup(verb);
    step->request_id = strdup(request_id);
    step->hosting = hosting_new(step);
    step->hosting->values.config = config == NULL ? json_object_new_object() : json_object_get(config);
    step->hosting->values.connection = json_object_get(step->connection);
    host_init(step);
    host_renew_artifacts(step);
    if (make_thread(step, error) < 0)
        return -1;
    call_thread(step, CALL_RUN);
    return 0;
}

void step_cancel(struct step *step)
{
    atomic_store(&step->cancelled, true);
    edges_cancel(step);
    pthread_mutex_lock(&step->interrupt_lock);
    if (step->driver_open && step->driver->interrupt != NULL)
        step->driver->interrupt(step->state);
    pthread_mutex_unlock(&step->interrupt_lock);
}
