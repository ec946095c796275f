/*
 * odd: the local adapter (its file is the option `local`), but that a verb reports an error, or returns what it likes, or passes
 * NULL to its host.
 */
#include <dlfcn.h>
#include <stdbool.h>

#include "test-plugin.h"

struct odd {
    const struct osiris_host *host;
    const struct osiris_adapter *local;
    void *state;
};

static int end(const struct osiris_host *host, const char *verb, int result)
{
    const char *null = host->get_string(host, OSIRIS_CONFIG, "null_in", "");

    if (strcmp(host->get_string(host, OSIRIS_CONFIG, "report_in", ""), verb) == 0)
        (void)test_fail(host, OSIRIS_ERROR_DATA, "told in %s", verb);
    if (strcmp(null, verb) == 0) {
        host->log(host, OSIRIS_INFO, NULL);
        host->event(host, NULL, NULL);
        host->metric(host, NULL, 1, NULL);
        host->error(host, NULL);
        (void)host->get_string(host, OSIRIS_CONFIG, NULL, NULL);
        (void)host->cancelled(NULL);
    }
    return strcmp(host->get_string(host, OSIRIS_CONFIG, "return_in", ""), verb) == 0
               ? (int)host->get_integer(host, OSIRIS_CONFIG, "result", 0)
               : result;
}

static int odd_open(const struct osiris_host *host, const struct osiris_adapter_context *context, void **state)
{
    void *object = dlopen(host->get_string(host, OSIRIS_CONFIG, "local", ""), RTLD_NOW | RTLD_LOCAL);
    const struct osiris_plugin *plugin = object == NULL ? NULL : dlsym(object, OSIRIS_PLUGIN_SYMBOL);
    struct odd *odd = calloc(1, sizeof *odd);

    if (plugin == NULL || odd == NULL)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "no local adapter");
    odd->host = host;
    odd->local = plugin->adapters[0];
    *state = odd;
    int result = end(host, "open", odd->local->open(host, context, &odd->state));
    /* It knows of its error, and cleans up. */
    if (result != 0 || strcmp(host->get_string(host, OSIRIS_CONFIG, "report_in", ""), "open") == 0) {
        odd->local->close(odd->state);
        free(odd);
    }
    return result;
}

static int odd_prepare(void *state)
{
    struct odd *odd = state;

    return end(odd->host, "prepare", odd->local->prepare(odd->state));
}

static int odd_execute(void *state, struct osiris_channel *channel)
{
    struct odd *odd = state;

    return end(odd->host, "execute", odd->local->execute(odd->state, channel));
}

static int odd_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    struct odd *odd = state;

    return end(odd->host, "worker_exit", odd->local->worker_exit(odd->state, timeout_ms, result));
}

static int odd_terminate(void *state, int32_t how)
{
    struct odd *odd = state;

    return end(odd->host, "terminate", odd->local->terminate(odd->state, how));
}

static int odd_collect(void *state)
{
    struct odd *odd = state;

    return end(odd->host, "collect", odd->local->collect(odd->state));
}

static void odd_close(void *state)
{
    struct odd *odd = state;

    odd->local->close(odd->state);
    (void)end(odd->host, "close", 0);
    free(odd);
}

static const struct osiris_adapter odd_adapter = {
    .struct_size = sizeof(struct osiris_adapter),
    .name = "odd",
    .version = "1.0.0",
    .spec = "{\"title\": \"Odd\", \"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
            "\"local\": {\"type\": \"string\"}, \"report_in\": {\"type\": \"string\"}, \"return_in\": {\"type\": \"string\"},"
            "\"null_in\": {\"type\": \"string\"}, \"result\": {\"type\": \"integer\"}}}}",
    .open = odd_open,
    .prepare = odd_prepare,
    .execute = odd_execute,
    .worker_exit = odd_worker_exit,
    .terminate = odd_terminate,
    .collect = odd_collect,
    .close = odd_close,
};

static const struct osiris_adapter *const adapters[] = {&odd_adapter, NULL};

OSIRIS_PLUGIN(odd) = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "odd",
    .version = "1.0.0",
    .adapters = adapters,
};
