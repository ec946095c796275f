/* Validation of configs by drivers; see validate.h. */
#include "worker/validate.h"

#include <osiris/plugin.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "core/plugin/guarded.h"
#include "core/plugin/host-values.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/plugin/loader.h"
#include "core/base/read-to-end.h"

#define QUESTIONS_MAXIMUM (64u << 20)
#define ANSWERS_MAXIMUM (16u << 20)
#define ERRORS_MAXIMUM 100 /* of one config */

/* A question to a driver: an element of the request, read once. Everything is borrowed from the request. */
struct asked {
    const char *file, *driver;
    const char *step_id, *component; /* component: NULL if absent */
    json_object *config, *connection;
};

/* One question, as the driver's host table sees it. */
struct question {
    struct host_values values;
    const char *driver;
    pthread_mutex_t lock; /* guards the errors: a driver may have threads */
    json_object *errors;
};

/* The host table. */

static void add_error(struct question *question, const struct osiris_error *error)
{
    pthread_mutex_lock(&question->lock);
    if (json_array_count(question->errors) < ERRORS_MAXIMUM)
        json_append(question->errors, osiris_error_to_json(error));
    pthread_mutex_unlock(&question->lock);
}

static void on_misuse(struct host_values *values, const char *function, const char *what)
{
    struct question *question = (struct question *)values;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    host_values_blame(&error, function, what, "driver", question->driver);
    add_error(question, &error);
}

static void report(const struct osiris_host *host, const struct osiris_error_report *report)
{
    struct question *question = (struct question *)host_values_of(host, "error");
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (question == NULL || !host_values_has(&question->values, report, "error", "the report"))
        return;
    osiris_error_from_report(&error, report);
    add_error(question, &error);
}

/* There is no run to record it. */
static void ignore_log(const struct osiris_host *host, int32_t level, const char *message)
{
    (void)level;
    if (host_values_of(host, "log") != NULL)
        (void)host_values_has(host->context, message, "log", "the message");
}

static void ignore_event(const struct osiris_host *host, const char *name, const char *json)
{
    (void)json;
    if (host_values_of(host, "event") != NULL)
        (void)host_values_has(host->context, name, "event", "the name");
}

static void ignore_metric(const struct osiris_host *host, const char *name, double value,
                          const char *unit)
{
    (void)value, (void)unit;
    if (host_values_of(host, "metric") != NULL)
        (void)host_values_has(host->context, name, "metric", "the name");
}

static void ignore_result(const struct osiris_host *host, const char *json)
{
    (void)host, (void)json;
}

static int32_t never_cancelled(const struct osiris_host *host)
{
    (void)host;
    return 0;
}

static int refuse_file(const struct osiris_host *host)
{
    struct question *question = (struct question *)host_values_of(host, "open_input or a similar function");
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    osiris_error_set(&error, OSIRIS_ERROR_INTERNAL,
                     "there are no files and folders in validate; this is a fault of the driver");
    if (question != NULL)
        add_error(question, &error);
    return -1;
}

static const char *no_folder(const struct osiris_host *host)
{
    (void)refuse_file(host);
    return NULL;
}

static int no_input(const struct osiris_host *host, const char *path, int *fd)
{
    (void)path, (void)fd;
    return refuse_file(host);
}

static int no_output(const struct osiris_host *host, const char *path,
                     const struct osiris_output_options *options, int *fd)
{
    (void)path, (void)options, (void)fd;
    return refuse_file(host);
}

static int no_finish(const struct osiris_host *host, int fd)
{
    (void)fd;
    return refuse_file(host);
}

/* One question. */

static void ask(const struct osiris_driver *driver, const struct asked *asked, struct question *question)
{
    struct osiris_host host = {
        .abi_version = OSIRIS_ABI_VERSION,
        .struct_size = sizeof host,
        .context = question,
        .run_id = "",
        .step_id = asked->step_id,
        .component = asked->component == NULL ? driver->name : asked->component,
        .log = ignore_log,
        .event = ignore_event,
        .metric = ignore_metric,
        .error = report,
        .cancelled = never_cancelled,
        .artifacts_dir = no_folder,
        .temp_dir = no_folder,
        .open_input = no_input,
        .open_output = no_output,
        .finish_output = no_finish,
        .verb = "validate",
        .result = ignore_result,
    };
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    host_values_fill(&host);
    question->driver = driver->name;
    question->values.misused = on_misuse;
    host_values_serve(&question->values);
    if (driver->validate(&host) == 0 || json_array_count(question->errors) > 0)
        return;
    osiris_error_set(&error, OSIRIS_ERROR_INTERNAL,
                     "validate failed and gave no reason; this is a fault of the driver");
    add_error(question, &error);
}

/* Writes {index, errors}. */
static bool answer_one(const struct asked *asked, size_t index, int answer)
{
    struct question question = {.lock = PTHREAD_MUTEX_INITIALIZER};
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    _cleanup_json_ json_object *line = json_object_new_object();
    const struct osiris_plugin *plugin = loader_open(asked->file, &error);
    const struct osiris_driver *driver =
        plugin == NULL ? NULL : loader_driver(plugin, asked->file, asked->driver, &error);

    host_values_init(&question.values);
    question.values.config = json_object_get(asked->config);
    question.values.connection = json_object_get(asked->connection);
    question.errors = json_object_new_array();
    if (driver == NULL)
        add_error(&question, &error);
    else if (OSIRIS_HAS(driver, validate) && driver->validate != NULL)
        ask(driver, asked, &question);
    json_add_integer(line, "index", (int64_t)index);
    json_add(line, "errors", question.errors);
    host_values_serve(NULL);
    host_values_clear(&question.values);
    const char *text = json_text(line, JSON_C_TO_STRING_PLAIN, NULL);
    return write_fully(answer, text, strlen(text)) == 0 && write_fully(answer, "\n", 1) == 0;
}

/* The questions of one file. */

struct round {
    struct asked *questions;
    size_t count;
    json_object *answers; /* null: there is none yet */
    size_t first;         /* the first question, whose file it is about */
};

static bool is_open(const struct round *round, size_t index)
{
    return json_object_array_get_idx(round->answers, index) == NULL &&
           strcmp(round->questions[index].file, round->questions[round->first].file) == 0;
}

static bool answer_round(void *context, int answer)
{
    const struct round *round = context;

    for (size_t i = round->first; i < round->count; i++)
        if (is_open(round, i) && !answer_one(&round->questions[i], i, answer))
            return false;
    return true;
}

static void take_answers(struct round *round, char *text)
{
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        _cleanup_json_ json_object *answer = json_parse(line, NULL);
        json_object *errors = json_member(answer, "errors");
        int64_t index = json_member_integer(answer, "index", -1);
        if (json_object_is_type(errors, json_type_array) && index >= (int64_t)round->first &&
            (size_t)index < round->count && is_open(round, (size_t)index))
            (void)json_object_array_put_idx(round->answers, (size_t)index, json_object_get(errors));
    }
}

/* Answers at least the first question. If the driver ended the child, the answer is the reason. */
static void ask_round(struct round *round)
{
    _cleanup_buffer_ struct buffer answer = BUFFER_INIT(ANSWERS_MAXIMUM);
    _cleanup_free_ char *reason =
        guarded_run(answer_round, round, "it checked the config", &answer);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    json_object *errors;

    if (answer.length > 0 && !answer.failed)
        take_answers(round, answer.data);
    for (size_t i = round->first; i < round->count; i++) {
        if (!is_open(round, i))
            continue;
        osiris_error_set(
            &error, OSIRIS_ERROR_INTERNAL, "the driver \"%s\" of \"%s\": %s",
            round->questions[i].driver, round->questions[i].file,
            reason == NULL ? "it ended the process while it checked the config" : reason);
        errors = json_object_new_array();
        json_append(errors, osiris_error_to_json(&error));
        (void)json_object_array_put_idx(round->answers, i, errors);
        return;
    }
}

static json_object *read_questions(void)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(QUESTIONS_MAXIMUM);

    return read_to_end(STDIN_FILENO, READ_NO_DEADLINE, &text) == READ_WHOLE ? json_parse(text.data, NULL)
                                                                           : NULL;
}

static struct asked read_question(json_object *question)
{
    return (struct asked){.file = json_member_string(question, "file", "?"),
                          .driver = json_member_string(question, "driver", "?"),
                          .step_id = json_member_string(question, "step_id", ""),
                          .component = json_member_string(question, "component", NULL),
                          .config = json_member(question, "config"),
                          .connection = json_member(question, "connection")};
}

int worker_validate(void)
{
    _cleanup_json_ json_object *questions = read_questions();
    _cleanup_json_ json_object *answers = json_object_new_array();
    struct round round = {.count = json_array_count(questions), .answers = answers};
    _cleanup_free_ struct asked *asked = round.questions = calloc(round.count + 1, sizeof *asked);

    if (!json_object_is_type(questions, json_type_array) || asked == NULL ||
        (round.count > 0 && json_object_array_put_idx(answers, round.count - 1, NULL) < 0))
        return 1;
    for (size_t i = 0; i < round.count; i++)
        asked[i] = read_question(json_object_array_get_idx(questions, i));
    for (size_t i = 0; i < round.count; i++) {
        round.first = i;
        if (json_object_array_get_idx(answers, i) == NULL)
            ask_round(&round);
    }
    const char *text = json_text(answers, JSON_C_TO_STRING_PLAIN, NULL);
    return write_fully(STDOUT_FILENO, text, strlen(text)) < 0;
}
