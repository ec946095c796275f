/* Publishing a group's outputs at home; see home.h. */
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/base/redact-message.h"
#include "orchestrator/session/answers.h"
#include "orchestrator/session/failure.h"
#include "orchestrator/session/home-state.h"
#include "orchestrator/session/worker.h"

static void report_published(struct session *session, struct session_group *group)
{
    json_object *message = json_object_new_object();

    if (group->published == NULL) {
        json_object_put(message);
        return;
    }
    json_add(message, "published", steal_pointer(&group->published));
    _cleanup_json_ json_object *clean = redactor_message(session->options->redactor, message);
    session_note_published(session, clean);
    json_object_put(message);
}

static size_t number_of(const struct session *session, const struct session_group *group)
{
    return (size_t)(group - session->groups);
}

/* All its workers have nothing but outputs at home. */
static bool is_all_home(const struct session *session, size_t group)
{
    for (size_t i = 0; i < session->worker_count; i++)
        if (worker_has_group(&session->workers[i], group) && !session->workers[i].files_are_home)
            return false;
    return true;
}

static void name_step(const struct session *session, struct osiris_error *error)
{
    size_t step = plan_find_step(session->plan, error->step_id);

    if (step != PLAN_NONE && error->component == NULL)
        error->component = strdup(session->steps[step].component);
}

void session_note_home_published(struct session *session, struct session_group *group, struct file_event *event)
{
    if (group->home != HOME_PUBLISHING)
        return; /* too late */
    group->pending--;
    group->home_ms = 0;
    if (event->error.category != 0) {
        group->home = HOME_IDLE;
        group->refused = true;
        name_step(session, &event->error);
        redactor_error(session->options->redactor, &event->error);
        session_fail(session, &event->error);
        return;
    }
    group->home = HOME_PUBLISHED;
    group->published = steal_pointer(&event->published);
    /* Nothing can be taken back any more if nobody else has anything to publish. */
    if (!group->refused && is_all_home(session, number_of(session, group)))
        report_published(session, group);
}

void session_note_home_retracted(struct session *session, struct session_group *group, const struct file_event *event)
{
    if (group->home != HOME_RETRACTING)
        return;
    group->pending--;
    group->home_ms = 0;
    group->home = HOME_IDLE;
    if (event->kept > 0 && session->failure.category != 0)
        osiris_error_hint(&session->failure, "%zu file%s of the group stay%s published; %s", event->kept,
                          event->kept == 1 ? "" : "s", event->kept == 1 ? "s" : "", event->error.message);
}

/* The outputs of the group that are open: a new list. */
static struct file **outputs_of(const struct session *session, size_t group, size_t *count)
{
    size_t all = 0;

    *count = 0;
    for (const struct session_file *file = session->first_file; file != NULL; file = file->next)
        all++;
    struct file **list = calloc(all + 1, sizeof(struct file *));
    if (list == NULL)
        memory_exhausted();
    /* By step, each in the order of opening. */
    for (size_t i = 0; i < session->plan->groups[group].step_count; i++)
        for (const struct session_file *file = session->first_file; file != NULL; file = file->next)
            if (file->step == session->plan->groups[group].steps[i] && !file->is_input && !file->is_artifacts && file->is_open && !file->closes)
                list[(*count)++] = file->file;
    return list;
}

static bool begin(struct session *session, size_t number, enum home_state state,
                  void (*work)(struct files *, struct file *const *, size_t, void *))
{
    struct session_group *group = &session->groups[number];
    size_t count;
    _cleanup_free_ struct file **list = outputs_of(session, number, &count);

    if (count == 0)
        return false;
    group->home = state;
    group->home_ms = clock_monotonic_ms() + session->limits.commit_ms;
    group->pending++;
    work(session->files, list, count, group);
    return true;
}

void session_check_home(struct session *session, int64_t now)
{
    for (size_t i = 0; i < session->plan->group_count; i++) {
        struct session_group *group = &session->groups[i];
        struct osiris_error error = OSIRIS_ERROR_INIT;
        if (group->home_ms == 0 || now < group->home_ms)
            continue;
        osiris_error_set(&error, OSIRIS_ERROR_TIMEOUT, "the outputs were not published in time");
        osiris_error_hint(&error, "the disk or file system does not respond");
        session_fail(session, &error);
        group->home_ms = 0;
        group->home = HOME_IDLE;
        group->refused = true;
        group->pending--;
    }
}

int64_t session_next_home_deadline(const struct session *session)
{
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < session->plan->group_count; i++)
        if (session->groups[i].home_ms != 0)
            next = clock_earlier(next, session->groups[i].home_ms);
    return next;
}

bool session_publish_home(struct session *session, size_t group)
{
    return session->groups[group].home == HOME_IDLE && begin(session, group, HOME_PUBLISHING, files_publish);
}

bool session_retract_home(struct session *session, size_t group)
{
    json_object_put(session->groups[group].published);
    session->groups[group].published = NULL;
    return session->groups[group].home == HOME_PUBLISHED && begin(session, group, HOME_RETRACTING, files_retract);
}

void session_end_home(struct session *session, size_t group)
{
    report_published(session, &session->groups[group]);
    session->groups[group].home = HOME_IDLE;
    /* The last one first: the first may have made the folder of the others. */
    for (struct session_file *file = session->last_file; file != NULL; file = file->previous)
        if (file->group == group)
            session_file_close(file);
}
