/* What becomes of a group when its worker is told to stop (worker/decide.h): the steps' threads are played here, one after the other. */
#include "unit.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/json-access.h"
#include "core/wire/channel.h"
#include "worker/cancel.h"
#include "worker/edges.h"
#include "worker/run.h"

enum { STEPS = 2 };

static char ids[STEPS][2] = {"a", "b"};
static struct step steps[STEPS];
static struct run run;
static struct channel *orchestrator;

/* No drivers, no streams, no files at home. */

void edges_cancel(struct step *step)
{
    (void)step;
}

void interrupt_request(struct step *step)
{
    (void)step;
}

void home_cancel(struct home *home)
{
    (void)home;
}

/* Both have run. */
static void begin(void)
{
    int sockets[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    memset(steps, 0, sizeof steps);
    run = (struct run){.channel = channel_new(sockets[0], NULL), .steps = steps, .step_count = STEPS, .busy_threads = STEPS};
    orchestrator = channel_new(sockets[1], NULL);
    pthread_mutex_init(&run.steps_lock, NULL);
    pthread_cond_init(&run.work_ended, NULL);
    for (size_t i = 0; i < STEPS; i++) {
        steps[i].run = &run;
        steps[i].plan.id = ids[i];
        steps[i].fate = (struct step_fate){.phase = STEP_DECIDABLE, .busy = true, .succeeded = true};
        pthread_cond_init(&steps[i].fate.decided, NULL);
    }
}

static void end(void)
{
    for (size_t i = 0; i < STEPS; i++)
        pthread_cond_destroy(&steps[i].fate.decided);
    pthread_cond_destroy(&run.work_ended);
    pthread_mutex_destroy(&run.steps_lock);
    channel_free(run.channel);
    channel_free(orchestrator);
}

static void commit(enum commit_phase phase)
{
    const char *names[STEPS] = {"a", "b"};
    const struct steps_request request = {.ids = names, .count = STEPS, .phase = phase};

    decide_commit(&run, "commit", &request);
}

/* They cannot have stopped yet: nobody has played them. */
static void stop(void)
{
    ck_assert(!decide_stop_all(&run, 0));
}

static void takes(size_t i, enum decision_stage stage)
{
    ck_assert_int_ne(steps[i].fate.stage, DECIDE_NOTHING); /* or it would wait for ever */
    ck_assert_int_eq(decide_wait(&steps[i]), stage);
}

static void acts(size_t i, bool works)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (!works)
        osiris_error_set(&error, OSIRIS_ERROR_IO, "no");
    decide_done(&steps[i], &error);
}

static void closes(size_t i, enum decision_stage stage)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    takes(i, stage);
    decide_closed(&steps[i], &error);
}

static void all_close(enum decision_stage stage)
{
    for (size_t i = 0; i < STEPS; i++)
        closes(i, stage);
    ck_assert(decide_stop_all(&run, 60000));
}

/* `names`, one after the other: what the orchestrator is told. */
static void is_told(const char *names)
{
    char told[64] = "";
    bool ends = false;

    ck_assert_int_ge(channel_pump_ready(run.channel, POLLOUT, &ends, NULL), 0);
    ck_assert_int_ge(channel_pump_ready(orchestrator, POLLIN, &ends, NULL), 0);
    for (;;) {
        size_t length = 0;
        _cleanup_json_ json_object *message = channel_receive_body(orchestrator, &length, NULL);
        if (message == NULL)
            break;
        const char *type = json_member_string(message, "type", json_member(message, "error") == NULL ? "result" : "error");
        snprintf(told + strlen(told), sizeof told - strlen(told), "%s ", type);
    }
    ck_assert_str_eq(told, names);
}

START_TEST(test_a_commit_is_not_published)
{
    begin();
    commit(COMMIT_BOTH);
    takes(0, DECIDE_COMMIT);
    acts(0, true);
    stop();
    ck_assert_int_eq(steps[0].fate.stage, DECIDE_NOTHING);
    takes(1, DECIDE_COMMIT);
    acts(1, true);
    all_close(DECIDE_ABORT);
    is_told("error ");
    end();
}
END_TEST

START_TEST(test_a_first_phase_ends_and_no_second_one_begins)
{
    begin();
    commit(COMMIT_ONLY);
    takes(0, DECIDE_COMMIT);
    stop();
    acts(0, true);
    takes(1, DECIDE_COMMIT);
    acts(1, true);
    is_told("result ");
    commit(COMMIT_PUBLISH);
    is_told("error ");
    all_close(DECIDE_ABORT);
    end();
}
END_TEST

START_TEST(test_between_the_phases_all_abort)
{
    begin();
    commit(COMMIT_ONLY);
    for (size_t i = 0; i < STEPS; i++) {
        takes(i, DECIDE_COMMIT);
        acts(i, true);
    }
    stop();
    all_close(DECIDE_ABORT);
    end();
}
END_TEST

/* One step has published already, the other one has not begun. */
START_TEST(test_what_is_being_published_is_published_by_all)
{
    begin();
    commit(COMMIT_BOTH);
    for (size_t i = 0; i < STEPS; i++) {
        takes(i, DECIDE_COMMIT);
        acts(i, true);
    }
    takes(0, DECIDE_PUBLISH);
    acts(0, true);
    stop();
    takes(1, DECIDE_PUBLISH);
    acts(1, true);
    all_close(DECIDE_CLOSE);
    is_told("published result ");
    end();
}
END_TEST

START_TEST(test_or_taken_back_by_all)
{
    begin();
    commit(COMMIT_BOTH);
    for (size_t i = 0; i < STEPS; i++) {
        takes(i, DECIDE_COMMIT);
        acts(i, true);
    }
    takes(0, DECIDE_PUBLISH);
    acts(0, true);
    stop();
    takes(1, DECIDE_PUBLISH);
    acts(1, false);
    takes(0, DECIDE_RETRACT);
    acts(0, true);
    stop();
    takes(1, DECIDE_RETRACT);
    acts(1, true);
    all_close(DECIDE_CLOSE);
    is_told("error ");
    end();
}
END_TEST

/* Another request would count it twice. */
START_TEST(test_a_step_that_has_acted_is_its_decision_s_until_all_have)
{
    const char *names[] = {"a"};
    const struct steps_request request = {.ids = names, .count = 1};

    begin();
    commit(COMMIT_BOTH);
    takes(0, DECIDE_COMMIT);
    acts(0, true);
    decide_abort(&run, "abort", &request);
    is_told("error ");
    takes(1, DECIDE_COMMIT);
    acts(1, true);
    for (size_t i = 0; i < STEPS; i++) {
        takes(i, DECIDE_PUBLISH);
        acts(i, true);
    }
    all_close(DECIDE_CLOSE);
    is_told("published result ");
    end();
}
END_TEST

UNIT_MAIN("decide", test_a_commit_is_not_published, test_a_first_phase_ends_and_no_second_one_begins, test_between_the_phases_all_abort,
          test_what_is_being_published_is_published_by_all, test_or_taken_back_by_all,
          test_a_step_that_has_acted_is_its_decision_s_until_all_have)
