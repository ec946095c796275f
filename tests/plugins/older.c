/*
 * older: the local adapter (its file is the option `local`) as it was built with the headers of version 1.1, whose channel and context
 * ended where they do here.
 */
#include <dlfcn.h>

#include "test-plugin.h"

struct older_context {
    uint32_t struct_size;
    const char *manifest, *worker_path;
    const char *const *driver_paths, *const *environment;
    const char *run_dir, *artifacts_dir;
    int32_t standard_output;
};

struct older_channel {
    uint32_t struct_size;
    int32_t socket, diagnostics;
    uint32_t flags;
};

struct older {
    const struct osiris_host *host;
    const struct osiris_adapter *local;
    struct older_context context;
    void *state;
};

static int older_open(const struct osiris_host *host, const struct osiris_adapter_context *given, void **state)
{
    void *object = dlopen(host->get_string(host, OSIRIS_CONFIG, "local", ""), RTLD_NOW | RTLD_LOCAL);
    const struct osiris_plugin *plugin = object == NULL ? NULL : dlsym(object, OSIRIS_PLUGIN_SYMBOL);
    struct older *older = calloc(1, sizeof *older);

    if (plugin == NULL || older == NULL || given->struct_size < sizeof older->context)
        return test_fail(host, OSIRIS_ERROR_INTERNAL, "no local adapter");
    memcpy(&older->context, given, sizeof older->context);
    older->context.struct_size = sizeof older->context;
    older->host = host;
    older->local = plugin->adapters[0];
    *state = older;
    return older->local->open(host, (const struct osiris_adapter_context *)(const void *)&older->context, &older->state);
}

static int older_prepare(void *state)
{
    struct older *older = state;

    return older->local->prepare(older->state);
}

static int older_execute(void *state, struct osiris_channel *given)
{
    struct older *older = state;
    struct older_channel *channel = (void *)given;

    if (channel->socket != -1 || channel->diagnostics != -1 || channel->flags != 0)
        return test_fail(older->host, OSIRIS_ERROR_INTERNAL, "the channel has moved");
    return older->local->execute(older->state, given);
}

static int older_worker_exit(void *state, int32_t timeout_ms, struct osiris_worker_exit *result)
{
    struct older *older = state;

    return older->local->worker_exit(older->state, timeout_ms, result);
}

static int older_terminate(void *state, int32_t how)
{
    struct older *older = state;

    return older->local->terminate(older->state, how);
}

static int older_collect(void *state)
{
    struct older *older = state;

    return older->local->collect(older->state);
}

static void older_close(void *state)
{
    struct older *older = state;

    older->local->close(older->state);
    free(older);
}

static const struct osiris_adapter older_adapter = {
    .struct_size = offsetof(struct osiris_adapter, close) + sizeof older_adapter.close,
    .name = "older",
    .version = "1.0.0",
    .spec = "{\"title\": \"Older\", \"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
            "\"local\": {\"type\": \"string\"}}}}",
    .open = older_open,
    .prepare = older_prepare,
    .execute = older_execute,
    .worker_exit = older_worker_exit,
    .terminate = older_terminate,
    .collect = older_collect,
    .close = older_close,
};

static const struct osiris_adapter *const adapters[] = {&older_adapter, NULL};

OSIRIS_PLUGIN(older) = {
    .abi_version = (OSIRIS_ABI_MAJOR << 16) | 1,
    .struct_size = sizeof(struct osiris_plugin),
    .name = "older",
    .version = "1.0.0",
    .adapters = adapters,
};
