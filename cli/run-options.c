/* The options of a run; see run-options.h. */
#include "cli/run-options.h"

#include <string.h>

#include "cli/rpc-debug.h"
#include "orchestrator/oml/duration.h"
#include "core/base/json-build.h"
#include "core/base/utf8.h"

static int choose_adapter(struct run_options *options, const struct arguments *arguments,
                          struct osiris_error *error)
{
    const char *adapter = arguments_value(arguments, "adapter");
    const char *target = arguments_value(arguments, "target");
    const char *preset = getenv("OSIRIS_EXECUTION_TARGET");

    if (adapter != NULL && target != NULL && strcmp(adapter, target) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "--adapter %s and --target %s are different", adapter,
                                target);
    options->adapter = adapter != NULL ? adapter : target;
    if (options->adapter == NULL)
        options->adapter = preset != NULL && preset[0] != '\0' ? preset : "local";
    if (!utf8_is_valid(options->adapter, strlen(options->adapter)))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "OSIRIS_EXECUTION_TARGET is not UTF-8");
    return 0;
}

static int read_limit(const char *name, int64_t least, int64_t *limit, struct osiris_error *error)
{
    const char *text = getenv(name);
    char *end;

    if (text == NULL || text[0] == '\0')
        return 0;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || value < least || value > 86400000)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "%s=%s is not a whole number of milliseconds from %lld to 86400000", name,
                                text, (long long)least);
    *limit = value;
    return 0;
}

static int read_limits(struct session_limits *limits, struct osiris_error *error)
{
    int64_t silence_ms = -1; /* not set */

    if (read_limit("OSIRIS_CANCEL_GRACE_MS", 1, &limits->cancel_grace_ms, error) < 0 ||
        read_limit("OSIRIS_COMMIT_TIMEOUT_MS", 1, &limits->commit_ms, error) < 0 ||
        read_limit("OSIRIS_HEARTBEAT_INTERVAL_MS", 1, &limits->heartbeat_interval_ms, error) < 0 ||
        read_limit("OSIRIS_HEARTBEAT_TIMEOUT_MS", 1, &limits->heartbeat_timeout_ms, error) < 0 ||
        read_limit("OSIRIS_RESUME_TIMEOUT_MS", 1, &limits->resume_ms, error) < 0 ||
        read_limit("OSIRIS_SILENCE_TIMEOUT_MS", 0, &silence_ms, error) < 0)
        return -1;
    if (silence_ms >= 0)
        limits->silence_ms = silence_ms > 0 ? silence_ms : -1;
    return 0;
}

static int read_timeout(struct run_options *options, const struct arguments *arguments,
                        struct osiris_error *error)
{
    const char *text = arguments_value(arguments, "timeout");

    if (text != NULL && duration_parse(text, &options->timeout_ms) < 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "--timeout %s is not a duration; write " DURATION_RULE, text);
    return 0;
}

static int read_max_steps(struct run_options *options, const struct arguments *arguments, struct osiris_error *error)
{
    const char *text = arguments_value(arguments, "max-steps");
    char *end;

    if (text == NULL)
        return 0;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 1 || number > PIPELINE_MAXIMUM_STEPS)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "--max-steps %s is not a whole number from 1 to %d", text,
                                PIPELINE_MAXIMUM_STEPS);
    options->max_steps = (size_t)number;
    return 0;
}

/* Two runs with the same seed wait equally long between attempts. */
static int read_retry_seed(int64_t *seed, struct osiris_error *error)
{
    const char *text = getenv("OSIRIS_RETRY_SEED");
    char *end;

    if (text == NULL || text[0] == '\0')
        return 0;
    errno = 0;
    *seed = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || *seed < 1)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "OSIRIS_RETRY_SEED=%s is not a whole number from 1 on", text);
    return 0;
}

/* The environment that --pass-env passes to the worker. */
static int read_environment(struct run_options *options, const struct arguments *arguments,
                            struct osiris_error *error)
{
    _cleanup_free_ const char **names = arguments_values(arguments, "pass-env");

    options->environment = json_object_new_object();
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *value = getenv(names[i]);
        if (value == NULL)
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                    "--pass-env %s: the environment variable is not set",
                                    names[i]);
        if (!utf8_is_valid(value, strlen(value)))
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                    "--pass-env %s: the environment variable is not UTF-8", names[i]);
        json_add_string(options->environment, names[i], value);
    }
    return 0;
}

static int check_out(const struct arguments *arguments, struct osiris_error *error)
{
    const char *out = arguments_value(arguments, "out");

    if (out == NULL || out[0] != '\0')
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "--out: the folder's name is empty");
}

int run_options_read(struct run_options *options, const struct arguments *arguments,
                     struct osiris_error *error)
{
    if (check_out(arguments, error) < 0 || choose_adapter(options, arguments, error) < 0 ||
        read_limits(&options->limits, error) < 0 || read_timeout(options, arguments, error) < 0 ||
        read_max_steps(options, arguments, error) < 0 ||
        read_retry_seed(&options->retry_seed, error) < 0 ||
        read_environment(options, arguments, error) < 0 || rpc_debug_check(error) < 0)
        return -1;
    return 0;
}

void run_options_clear(struct run_options *options)
{
    json_object_put(options->environment);
}
