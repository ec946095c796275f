/* What a driver reports; see reports.h. */
#include "worker/reports.h"

#include <limits.h>
#include <string.h>

#include "worker/run.h"
#include "worker/step-messages.h"

static void clean_in_place(const struct step *step, char **text)
{
    char *clean = *text == NULL ? NULL : step_clean_text(step, *text);

    free(*text);
    *text = clean;
}

void reports_add(struct step *step, const struct osiris_error_report *report)
{
    struct osiris_error *error = &step->reports.error;

    signs_note(&step->signs);
    pthread_mutex_lock(&step->reports.lock);
    if (error->category == 0) {
        osiris_error_from_report(error, report);
        clean_in_place(step, &error->native_state);
        clean_in_place(step, &error->message);
        clean_in_place(step, &error->hint);
        clean_in_place(step, &error->option);
        if (error->message == NULL)
            error->message = strdup("the report is too long for the available memory");
        atomic_store(&step->reports.has_error, error->category != 0);
    }
    pthread_mutex_unlock(&step->reports.lock);
}

void reports_move_error(struct step *step, struct osiris_error *error)
{
    pthread_mutex_lock(&step->reports.lock);
    if (step->reports.error.category == 0) {
        osiris_error_move(&step->reports.error, error);
        atomic_store(&step->reports.has_error, step->reports.error.category != 0);
    }
    pthread_mutex_unlock(&step->reports.lock);
}

void reports_add_error(struct step *step, const struct osiris_error *error)
{
    reports_add(step, &(struct osiris_error_report){.struct_size = sizeof(struct osiris_error_report),
                                               .category = error->category,
                                               .retryable = error->retryable,
                                               .native_code = error->native_code,
                                               .message = error->message,
                                               .hint = error->hint});
}

void reports_set_answer(struct step *step, json_object *answer)
{
    signs_note(&step->signs);
    pthread_mutex_lock(&step->reports.lock);
    json_object_put(step->reports.answer);
    step->reports.answer = answer;
    pthread_mutex_unlock(&step->reports.lock);
}

bool reports_have_error(struct step *step)
{
    return atomic_load(&step->reports.has_error);
}

bool reports_have_answer(struct step *step)
{
    pthread_mutex_lock(&step->reports.lock);
    bool has = step->reports.answer != NULL;
    pthread_mutex_unlock(&step->reports.lock);
    return has;
}

static void take_report(struct step *step, struct osiris_error *error)
{
    if (!reports_have_error(step))
        return;
    pthread_mutex_lock(&step->reports.lock);
    osiris_error_move(error, &step->reports.error);
    atomic_store(&step->reports.has_error, false);
    pthread_mutex_unlock(&step->reports.lock);
}

/* Many drivers return an errno instead of -1 and forget the report: the number is better than nothing. */
static int no_reason(const char *verb, int result, struct osiris_error *error)
{
    char words[128];

    if (result == -1 || result == INT_MIN)
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "%s failed and gave no reason; this is a fault of the driver",
                                verb);
    osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                     "%s failed and gave no reason but %d (as an errno: %s); this is a fault of the driver", verb, result,
                     strerror_r(result < 0 ? -result : result, words, sizeof words));
    error->native_code = result;
    return -1;
}

int reports_end_verb(struct step *step, const char *verb, int result, struct osiris_error *error)
{
    if (reports_have_error(step)) {
        take_report(step, error);
        return -1;
    }
    return result == 0 ? 0 : no_reason(verb, result, error);
}

void reports_warn(struct step *step, const char *function)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    take_report(step, &error);
    if (error.category != 0)
        step_log(step, "warning", "%s: %s", function, error.message);
}

void reports_discard(struct step *step)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    take_report(step, &error);
}
