/* The calls of a driver; see verbs.h. */
#include "worker/verbs.h"

#include "worker/input-streams.h"
#include "worker/inquire.h"
#include "worker/output-stream.h"
#include "worker/run.h"

static int run_verb(struct step *step, struct osiris_error *error)
{
    struct ArrowArrayStream output = {0};
    bool has_output = step->plan.driver->kind != OSIRIS_WRITER;

    signs_enter(&step->signs, "run");
    int result = step->plan.driver->run(step->own.state, step->request.hosting->inputs, step->plan.input_count,
                                   has_output ? &output : NULL);
    signs_leave(&step->signs);
    if (reports_end_verb(step, "run", result, error) < 0) {
        output_stream_release(step, &output);
        return -1;
    }
    return has_output ? output_stream_pull(step, &output, error) : 0;
}

static int run_with_inputs(struct step *step, struct osiris_error *error)
{
    if (input_streams_open(step) < 0)
        return osiris_error_set_errno(error, ENOMEM, "cannot run the step");
    int result = run_verb(step, error);
    if (result == 0)
        result = input_streams_check_read(step, error);
    input_streams_end(step);
    return result;
}

static int open_verb(struct step *step, struct osiris_error *error)
{
    signs_enter(&step->signs, "open");
    int result = step->plan.driver->open(&step->request.hosting->table, &step->own.state);
    signs_leave(&step->signs);
    if (reports_end_verb(step, "open", result, error) < 0)
        return -1;
    interrupt_allow(step);
    return 0;
}

int verbs_run(struct step *step, struct osiris_error *error)
{
    if (open_verb(step, error) < 0)
        return -1;
    if (!step_is_run(step))
        return inquire(step, error);
    return run_with_inputs(step, error) < 0 ? -1 : files_finish_all(step, error);
}

int verbs_commit(struct step *step, struct osiris_error *error)
{
    int result = 0;

    if (step->plan.driver->commit != NULL && step_is_run(step)) {
        signs_enter(&step->signs, "commit");
        result = step->plan.driver->commit(step->own.state);
        signs_leave(&step->signs);
    }
    /* Includes what a thread of the driver has reported since run returned. */
    return reports_end_verb(step, "commit", result, error) < 0 ? -1 : files_make_ready(step, error);
}

void verbs_abort(struct step *step)
{
    reports_discard(step);
    if (!step->opening.driver_open || step->plan.driver->abort == NULL || !step_is_run(step))
        return;
    signs_enter(&step->signs, "abort");
    step->plan.driver->abort(step->own.state);
    signs_leave(&step->signs);
    reports_warn(step, "abort");
}

void verbs_close(struct step *step)
{
    signs_enter(&step->signs, "close");
    bool open = interrupt_forbid(step);
    if (open) {
        step->plan.driver->close(step->own.state);
        reports_warn(step, "close");
    }
    hosting_end(step->request.hosting);
    signs_leave(&step->signs);
    files_close_all(step);
    folders_end(step);
}
