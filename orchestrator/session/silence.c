/*
 * Drivers that say nothing: heartbeats tell which function of a driver is being called, and for how long it has not called back
 * into its host. Beyond a bound it is taken for hung: its step is stopped like one that is late; see state.h and
 * docs/drivers.md, "What bounds a call".
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "orchestrator/oml/duration.h"
#include "core/base/json-access.h"
#include "orchestrator/session/state.h"

#define SHORT_PART 10   /* of the bound: what open and close may take */
#define WARNING_PART 10 /* of a call's own bound: when it is told of */

static bool is_short(const char *function)
{
    return strcmp(function, "open") == 0 || strcmp(function, "close") == 0;
}

/* Its waits have bounds of their own, says the driver. */
static bool bounds_its_waits(const struct session *session, size_t index)
{
    const char *driver = json_member_string(schedule_step(session->schedule, index), "driver", "");
    const struct component *component = registry_find(session->options->registry, driver, NULL);

    return component != NULL && json_member_boolean(component->spec, "x-bounded-waits", false);
}

/* INT64_MAX: none. */
static int64_t bound_of(const struct session *session, size_t index, const char *function)
{
    int64_t bound = session->limits.silence_ms;

    if (bound < 0)
        return INT64_MAX;
    if (is_short(function))
        return bound / SHORT_PART;
    return bounds_its_waits(session, index) ? INT64_MAX : bound;
}

static void warn(struct session *session, const struct session_step *step, const char *function,
                 int64_t silent_ms, int64_t bound)
{
    char text[256], silent[DURATION_TEXT_SIZE], until[DURATION_TEXT_SIZE];

    snprintf(text, sizeof text, "%s has not been heard of in \"%.32s\" for %s; it is stopped after %s",
             step->component, function, duration_text(silent_ms, silent), duration_text(bound, until));
    session_log(session, OSIRIS_WARNING, step->id, text);
}

static void silence_error(const struct session_step *step, const char *function, int64_t silent_ms,
                          bool retryable, struct osiris_error *error)
{
    char text[DURATION_TEXT_SIZE];

    osiris_error_set(error, OSIRIS_ERROR_TIMEOUT,
                     "it hangs: the driver has not been heard of in \"%.32s\" for %s", function,
                     duration_text(silent_ms, text));
    osiris_error_hint(error, "OSIRIS_SILENCE_TIMEOUT_MS sets how long a driver may be silent");
    error->retryable = retryable;
    error->step_id = strdup(step->id);
    error->component = strdup(step->component);
}

/* Its group is past repeating. */
static void stop_committing(struct session_place *place, struct session_step *step, size_t group,
                            struct osiris_error *error)
{
    struct session *session = place->session;

    if (place_has_published(place, group)) {
        place_kill(place);
        place_break(place, error);
        return;
    }
    osiris_error_copy(&step->overdue, error);
    session->late_commit = true;
    session_fail(session, error);
    place_send_cancel(place);
}

static void stop(struct session_place *place, size_t index, const char *function, int64_t silent_ms)
{
    struct session *session = place->session;
    struct session_step *step = &session->steps[index];
    size_t group = schedule_step_group(session->schedule, index);
    struct osiris_error error = OSIRIS_ERROR_INIT;
    bool runs = schedule_step_state(session->schedule, index) == STEP_REQUESTED;

    silence_error(step, function, silent_ms, runs, &error);
    if (runs)
        session_step_overdue(session, index, &error);
    else if (schedule_group_state(session->schedule, group) == GROUP_COMMITTING)
        stop_committing(place, step, group, &error);
    /* What is being aborted has its own time. */
    osiris_error_clear(&error);
}

void session_hear_of_function(struct session_place *place, size_t index, const char *function,
                              int64_t silent_ms)
{
    struct session *session = place->session;
    struct session_step *step = &session->steps[index];
    int64_t bound = bound_of(session, index, function);

    if (&session->places[step->place] != place || step->overdue.category != 0)
        return;
    if (silent_ms >= 1000)
        silent_ms -= silent_ms % 1000;
    if (silent_ms < bound / WARNING_PART)
        step->warned_of_silence = false;
    else if (silent_ms >= bound)
        stop(place, index, function, silent_ms);
    else if (!step->warned_of_silence && bound < INT64_MAX) {
        step->warned_of_silence = true;
        warn(session, step, function, silent_ms, bound);
    }
}
