/*
 * leaky.extractor: says what it should not, wherever a driver can say something. Its options are texts in which {} stands for the
 * password of its connection, {6} for the first six bytes of it, and {0} for all of it with a NUL byte in the middle (on stderr).
 * Its other verbs answer with the connection's `text`, as a server may give names.
 */
#include "test-plugin.h"

struct leaky {
    const struct osiris_host *host;
    int given;
};

static const char spec[] =
    "{\"title\": \"Leaky\", \"modes\": [\"extract\"], \"configSchema\": {\"type\": \"object\","
    "\"additionalProperties\": false, \"properties\": {"
    "\"log\": {\"type\": \"string\"}, \"event\": {\"type\": \"string\"}, \"metric\": {\"type\": \"string\"},"
    "\"error\": {\"type\": \"string\"}, \"hint\": {\"type\": \"string\"}, \"print\": {\"type\": \"string\"},"
    "\"pad\": {\"type\": \"integer\", \"default\": 0, \"description\": \"bytes printed before, on the same line\"},"
    "\"query\": {\"type\": \"string\"}, \"table\": {\"type\": \"string\"}, \"partitions\": {\"type\": \"integer\"},"
    "\"init\": {\"type\": \"string\", \"maxLength\": 60}, \"text\": {\"type\": \"string\"},"
    "\"host\": {\"type\": \"string\"}, \"pin\": {\"type\": \"string\"}}},"
    "\"secrets\": [\"/pin\"],"
    "\"x-connection-fields\": [{\"name\": \"pin\", \"override\": \"forbidden\"}, {\"name\": \"init\"}, {\"name\": \"text\"},"
    "{\"name\": \"host\"}]}";

/* The option's text, filled in; its length in *length. NULL: it is not given. */
static char *filled(const struct osiris_host *host, const char *option, size_t *length)
{
    const char *text = host->get_string(host, OSIRIS_CONFIG, option, NULL);
    const char *secret = host->get_string(host, OSIRIS_CONNECTION, "pin", "");
    size_t size = strlen(secret);
    char *out = text == NULL ? NULL : calloc(1, strlen(text) * (size + 2) + 1);

    *length = 0;
    while (out != NULL && *text != '\0') {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        if (end == NULL) {
            out[(*length)++] = *text++;
            continue;
        }
        size_t number = end == text + 1 ? size : strtoul(text + 1, NULL, 10);
        size_t part = number == 0 ? size / 2 : number < size ? number : size;
        memcpy(out + *length, secret, part);
        *length += part;
        if (number == 0) {
            (*length)++;
            memcpy(out + *length, secret + part, size - part);
            *length += size - part;
        }
        text = end + 1;
    }
    return out;
}

static char *text_of(const struct osiris_host *host, const char *option)
{
    size_t length;

    return filled(host, option, &length);
}

static void print(const struct osiris_host *host)
{
    size_t length;
    char *text = filled(host, "print", &length);

    for (int64_t i = host->get_integer(host, OSIRIS_CONFIG, "pad", 0); text != NULL && i > 0; i--)
        (void)!fputc('x', stderr);
    if (text != NULL) {
        fwrite(text, 1, length, stderr);
        fputc('\n', stderr);
    }
    free(text);
}

/* Texts without what JSON escapes. */
static void tell_event(const struct osiris_host *host, const char *text)
{
    size_t size = 3 * strlen(text) + 160;
    char *json = malloc(size);

    if (json == NULL)
        return;
    snprintf(json, size, "{\"status\": \"%s\", \"%s\": 1, \"rows\": [\"%s\"], \"password\": \"other\"}", text, text, text);
    host->event(host, "leak", json);
    host->event(host, text, NULL);
    free(json);
}

static int leaky_open(const struct osiris_host *host, void **state)
{
    struct leaky *leaky = calloc(1, sizeof *leaky);

    if (leaky == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    leaky->host = host;
    *state = leaky;
    return 0;
}

static void leaky_close(void *state)
{
    free(state);
}

static int fail(const struct osiris_host *host, const char *message)
{
    char *hint = text_of(host, "hint");
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = OSIRIS_ERROR_DATA,
        .native_state = hint,
        .message = message,
        .hint = hint,
    };

    host->error(host, &report);
    free(hint);
    return -1;
}

/* One batch of three rows. */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    (void)stream;
    return test_make_schema(out);
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct leaky *leaky = stream->private_data;

    out->release = NULL;
    return leaky->given++ > 0 ? 0 : test_make_batch(0, 3, 0, out);
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

static int leaky_run(void *state, const struct osiris_input *inputs, size_t input_count, struct ArrowArrayStream *output)
{
    struct leaky *leaky = state;
    const struct osiris_host *host = leaky->host;
    char *log = text_of(host, "log"), *event = text_of(host, "event"), *metric = text_of(host, "metric");
    char *error = text_of(host, "error");
    int result = 0;

    (void)inputs;
    (void)input_count;
    print(host);
    if (log != NULL)
        host->log(host, OSIRIS_WARNING, log);
    if (event != NULL)
        tell_event(host, event);
    if (metric != NULL)
        host->metric(host, metric, 1, metric);
    if (error != NULL)
        result = fail(host, error);
    free(log);
    free(event);
    free(metric);
    free(error);
    *output = (struct ArrowArrayStream){.get_schema = get_schema,
                                        .get_next = get_next,
                                        .get_last_error = last_error,
                                        .release = release,
                                        .private_data = leaky};
    return result;
}

/* Answers. */

/* `format` has %s for the connection's text, as a JSON string, at most eight times. */
static int answer(void *state, const char *format)
{
    const struct leaky *leaky = state;
    const struct osiris_host *host = leaky->host;
    const char *text = host->get_json(host, OSIRIS_CONNECTION, "text");
    char *json = NULL;

    if (text == NULL)
        text = "\"\"";
    _Pragma("GCC diagnostic push")
    _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
    _Pragma("GCC diagnostic ignored \"-Wformat-extra-args\"")
    int length = asprintf(&json, format, text, text, text, text, text, text, text, text);
    _Pragma("GCC diagnostic pop")
    if (length < 0)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "out of memory");
    host->result(host, json);
    free(json);
    return 0;
}

static int leaky_check(void *state)
{
    return answer(state, "{\"server\": %s, \"version\": %s, \"tls\": %s, \"latency_ms\": 1.5,"
                         "\"checks\": [{\"name\": %s, \"ok\": false, \"message\": %s}]}");
}

static int leaky_discover(void *state)
{
    return answer(state, "{\"databases\": [{\"name\": %s, \"truncated\": true, \"tables\": [{\"name\": %s, \"kind\": %s,"
                         "\"error\": %s, \"columns\": [{\"name\": %s, \"type\": %s}],"
                         "\"keys\": [{\"name\": %s, \"columns\": [%s]}]}]}]}");
}

static int leaky_plan(void *state)
{
    return answer(state, "{\"partition_on\": %s, \"partitions\": [{\"config\": {\"where\": %s}}]}");
}

static const struct osiris_driver leaky_driver = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "leaky.extractor",
    .version = "1.0.0",
    .spec = spec,
    .open = leaky_open,
    .run = leaky_run,
    .close = leaky_close,
    .check = leaky_check,
    .discover = leaky_discover,
    .plan = leaky_plan,
};

TEST_PLUGIN(leaky, &leaky_driver);
