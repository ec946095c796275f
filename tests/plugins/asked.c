/*
 * Drivers that are asked and not run: asked.extractor answers `check` as its connection's field `how` says, and
 * `validate` as its option `what`, and has no other verb; old.extractor was compiled against version 1.0: what lies
 * behind its `close` must not be looked at.
 */
#include <stdbool.h>
#include <time.h>

#include "test-plugin.h"

#define HUGE_RESULT ((size_t)20 << 20) /* more than a message may have */

struct asked {
    const struct osiris_host *host;
    atomic_bool interrupted;
    bool given;
};

static int asked_open(const struct osiris_host *host, void **state)
{
    struct asked *asked = calloc(1, sizeof *asked);

    if (asked == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    asked->host = host;
    *state = asked;
    return 0;
}

static void asked_close(void *state)
{
    free(state);
}

static void asked_interrupt(void *state)
{
    struct asked *asked = state;

    atomic_store(&asked->interrupted, true);
}

static int wait_for_interrupt(struct asked *asked)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    asked->host->log(asked->host, OSIRIS_INFO, "waiting");
    while (!atomic_load(&asked->interrupted))
        nanosleep(&moment, NULL);
    return test_fail(asked->host, OSIRIS_ERROR_CANCELLED, "interrupted");
}

static int asked_check(void *state)
{
    struct asked *asked = state;
    const struct osiris_host *host = asked->host;
    const char *how = host->get_string(host, OSIRIS_CONNECTION, "how", "answer");
    const char *token = host->get_string(host, OSIRIS_CONNECTION, "token", "");
    char text[256];

    if (strcmp(how, "nothing") == 0)
        return 0;
    if (strcmp(how, "fail") == 0)
        return test_fail(host, OSIRIS_ERROR_AUTH, "the token %s is not known", token);
    if (strcmp(how, "wait") == 0)
        return wait_for_interrupt(asked);
    if (strcmp(how, "huge") == 0) {
        char *huge = malloc(HUGE_RESULT + 16);
        if (huge == NULL)
            return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
        memset(huge, ' ', HUGE_RESULT + 16);
        memcpy(huge, "{\"server\":\"", 11);
        memset(huge + 11, 'x', HUGE_RESULT);
        memcpy(huge + 11 + HUGE_RESULT, "\"}", 3);
        host->result(host, huge);
        free(huge);
        return 0;
    }
    if (strcmp(how, "array") == 0) {
        host->result(host, "[1]");
        return 0;
    }
    snprintf(text, sizeof text,
             "{\"server\": \"asked\", \"version\": \"%s\", \"latency_ms\": 1.5, \"checks\": ["
             "{\"name\": \"token\", \"ok\": %s, \"message\": \"%s\"}]}",
             host->verb, strcmp(how, "bad") == 0 ? "false" : "true", token);
    host->result(host, text);
    return 0;
}

static int refuse(const struct osiris_host *host, const char *option, const char *message)
{
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = OSIRIS_ERROR_CONFIG,
        .message = message,
        .hint = "use another",
        .option = option,
    };

    host->error(host, &report);
    return -1;
}

static int asked_validate(const struct osiris_host *host)
{
    const char *what = host->get_string(host, OSIRIS_CONFIG, "what", "");
    int fd;

    printf("a driver may print what it likes\n");
    if (strcmp(what, "one") == 0)
        return refuse(host, "what", "one is none");
    if (strcmp(what, "many") == 0) {
        refuse(host, "/list/1", "the second is wrong");
        refuse(host, "/how/deep", "it is too deep");
        return refuse(host, NULL, "it is wrong as a whole");
    }
    if (strcmp(what, "secret") == 0)
        return refuse(host, "token", host->get_string(host, OSIRIS_CONNECTION, "token", "?"));
    if (strcmp(what, "silent") == 0)
        return -1;
    if (strcmp(what, "file") == 0)
        return host->open_input(host, "/dev/null", &fd);
    if (strncmp(what, "detach", 6) == 0 && test_detach("detached", "sleep") < 0)
        return -1;
    if (strcmp(what, "crash") == 0 || strcmp(what, "detach and crash") == 0)
        abort();
    return 0;
}

/* The output of both: one batch of three rows. */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    (void)stream;
    return test_make_schema(out);
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct asked *asked = stream->private_data;

    out->release = NULL;
    if (asked->given)
        return 0;
    asked->given = true;
    return test_make_batch(0, 3, 0, out);
}

static const char *last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int asked_run(void *state, const struct osiris_input *inputs, size_t input_count,
                     struct ArrowArrayStream *output)
{
    (void)inputs;
    (void)input_count;
    *output = (struct ArrowArrayStream){.get_schema = get_schema,
                                        .get_next = get_next,
                                        .get_last_error = last_error,
                                        .release = release,
                                        .private_data = state};
    return 0;
}

static int asked_never(void *state)
{
    (void)state;
    abort();
}

#define SPEC                                                                                       \
    "{\"title\": \"Asked\", \"modes\": [\"extract\"], \"configSchema\": {\"type\": \"object\","     \
    "\"properties\": {\"how\": {\"type\": \"string\"}, \"token\": {\"type\": \"string\"},"          \
    "\"what\": {\"type\": \"string\"}, \"other\": {\"type\": \"string\"}, \"list\": {\"type\": \"array\"}},"                        \
    "\"oneOf\": [{\"required\": [\"what\"]}, {\"required\": [\"other\"]}]},"                       \
    "\"secrets\": [\"/token\"], \"x-connection-fields\": ["                                         \
    "{\"name\": \"how\", \"override\": \"allowed\"}, {\"name\": \"token\", \"override\": \"forbidden\"}]}"

static const struct osiris_driver asked_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "asked.extractor",
    .version = "1.0.0",
    .spec = SPEC,
    .open = asked_open,
    .run = asked_run,
    .interrupt = asked_interrupt,
    .close = asked_close,
    .check = asked_check,
    .validate = asked_validate,
};

static const struct osiris_driver old_driver = {
    .struct_size = OSIRIS_DRIVER_SIZE_1_0,
    .kind = OSIRIS_EXTRACTOR,
    .name = "old.extractor",
    .version = "1.0.0",
    .spec = SPEC,
    .open = asked_open,
    .run = asked_run,
    .close = asked_close,
    .check = asked_never,
    .discover = asked_never,
    .plan = asked_never,
};

TEST_PLUGIN(asked, &asked_driver, &old_driver);
