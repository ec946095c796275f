/* Finding, loading and calling an execution adapter; see host.h. */
#include "orchestrator/adapter/host.h"

#include <stddef.h>
#include <string.h>

#include "orchestrator/registry/adapter-file.h"
#include "core/plugin/host-values.h"
#include "core/base/json-access.h"
#include "core/base/json-text.h"
#include "core/plugin/loader.h"
#include "core/plugin/schema.h"

struct adapter_host {
    struct host_values values; /* config: the user's options with the schema's defaults */
    struct osiris_host table;
    const struct osiris_adapter *adapter;
    struct osiris_adapter_context context; /* what the adapter gets; its strings are the owner's */
    const struct adapter_host_options *options;
    pthread_t thread;             /* that calls the adapter */
    struct adapter_bundle bundle; /* path NULL: not made yet */
    void *state;
    struct redactor *redactor;
    const struct adapter_sink *sink;
    pthread_mutex_t lock; /* guards the reported error */
    struct osiris_error reported;
};

static const struct osiris_adapter *find_adapter(const struct adapter_host_options *options,
                                                 struct osiris_error *error)
{
    const struct adapter_folders folders = {options->adapter_path, options->adapter_dir};
    _cleanup_free_ char *path = adapter_file_find(options->name, &folders, NULL, error);
    const struct osiris_plugin *plugin = path == NULL ? NULL : loader_open(path, error);

    return plugin == NULL ? NULL : loader_adapter(plugin, path, options->name, error);
}

/* The host that the adapter has passed in, if it and `given` are not NULL. */
static struct adapter_host *enter(const struct osiris_host *table, const char *function, const void *given, const char *what)
{
    struct host_values *values = host_values_of(table, function);

    return values != NULL && host_values_has(values, given, function, what) ? (struct adapter_host *)values : NULL;
}

static void on_misuse(struct host_values *values, const char *function, const char *what)
{
    struct adapter_host *host = (struct adapter_host *)values;

    pthread_mutex_lock(&host->lock);
    if (host->reported.category == 0)
        host_values_blame(&host->reported, function, what, "adapter", host->adapter->name);
    pthread_mutex_unlock(&host->lock);
}

/* The host table. An adapter has options (OSIRIS_CONFIG) and no connection. */

/* Its texts are masked before anything else sees them. */

static void host_log(const struct osiris_host *table, int32_t level, const char *message)
{
    struct adapter_host *host = enter(table, "log", message, "the message");
    _cleanup_free_ char *clean = host == NULL ? NULL : redactor_short_text(host->redactor, message);

    if (clean != NULL)
        host->sink->log(host->sink->context, level, host->adapter->name, clean);
}

static void host_event(const struct osiris_host *table, const char *name, const char *json)
{
    struct adapter_host *host = enter(table, "event", name, "the name");

    if (host == NULL)
        return;
    _cleanup_json_ json_object *fields = json == NULL ? NULL : json_parse(json, NULL);
    _cleanup_free_ char *clean = redactor_short_text(host->redactor, name);
    if (clean != NULL)
        host->sink->event(host->sink->context, clean, fields == NULL ? NULL : redactor_event(host->redactor, fields));
}

static void host_metric(const struct osiris_host *table, const char *name, double value,
                        const char *unit)
{
    struct adapter_host *host = enter(table, "metric", name, "the name");

    if (host == NULL)
        return;
    _cleanup_free_ char *clean = redactor_short_text(host->redactor, name);
    _cleanup_free_ char *clean_unit = unit == NULL ? NULL : redactor_short_text(host->redactor, unit);
    if (clean != NULL)
        host->sink->metric(host->sink->context, clean, value, clean_unit);
}

static void host_error(const struct osiris_host *table, const struct osiris_error_report *report)
{
    struct adapter_host *host = enter(table, "error", report, "the report");

    if (host == NULL)
        return;
    pthread_mutex_lock(&host->lock);
    if (host->reported.category == 0) {
        osiris_error_from_report(&host->reported, report);
        redactor_error(host->redactor, &host->reported);
    }
    pthread_mutex_unlock(&host->lock);
}

static int32_t host_cancelled(const struct osiris_host *table)
{
    struct adapter_host *host = enter(table, "cancelled", table, "the host");

    return host == NULL || host->sink->cancelled(host->sink->context);
}

static const char *host_no_dir(const struct osiris_host *table)
{
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = OSIRIS_ERROR_INTERNAL,
        .message = "an adapter has no step folders; use the run's folders from the context",
    };

    host_error(table, &report);
    return NULL;
}

static int host_no_file(const struct osiris_host *table)
{
    const struct osiris_error_report report = {
        .struct_size = sizeof report,
        .category = OSIRIS_ERROR_INTERNAL,
        .message = "an adapter has no pipeline files",
    };

    host_error(table, &report);
    return -1;
}

static int host_no_input(const struct osiris_host *table, const char *path, int *fd)
{
    (void)path;
    (void)fd;
    return host_no_file(table);
}

static int host_no_output(const struct osiris_host *table, const char *path,
                          const struct osiris_output_options *options, int *fd)
{
    (void)path;
    (void)options;
    (void)fd;
    return host_no_file(table);
}

/* The bundle (context->bundle). */

static int fail_bundle(struct adapter_host *host, struct osiris_error *error)
{
    redactor_error(host->redactor, error);
    pthread_mutex_lock(&host->lock);
    if (host->reported.category == 0)
        osiris_error_move(&host->reported, error);
    pthread_mutex_unlock(&host->lock);
    osiris_error_clear(error);
    return -1;
}

static int make_bundle(struct adapter_host *host, struct osiris_error *error)
{
    const struct adapter_bundle_request request = {
        .worker_path = host->context.worker_path,
        .components = host->options->components,
        .component_count = host->options->component_count,
        .driver_paths = host->context.driver_paths,
    };

    if (host->bundle.path != NULL)
        return 0;
    if (!pthread_equal(host->thread, pthread_self()))
        return osiris_error_set(error, OSIRIS_ERROR_INTERNAL, "bundle was called on another thread; this is a fault of the adapter");
    if (host->options->make_bundle(&request, &host->bundle, error) < 0) {
        adapter_bundle_clear(&host->bundle);
        return osiris_error_prefix(error, "cannot make the bundle of place \"%s\"", host->options->place);
    }
    for (size_t i = 0; i < json_array_count(host->bundle.warnings); i++)
        host_log(&host->table, OSIRIS_WARNING, json_object_get_string(json_object_array_get_idx(host->bundle.warnings, i)));
    return 0;
}

static int host_bundle(const struct osiris_adapter_context *context, struct osiris_bundle *bundle)
{
    struct osiris_error error = OSIRIS_ERROR_INIT;

    if (context == NULL)
        return -1;
    struct adapter_host *host = (struct adapter_host *)((char *)(uintptr_t)context - offsetof(struct adapter_host, context));
    if (!host_values_has(&host->values, bundle, "bundle", "the bundle"))
        return -1;
    if (make_bundle(host, &error) < 0)
        return fail_bundle(host, &error);
    adapter_bundle_give(&host->bundle, bundle);
    return 0;
}

static const struct osiris_host table_template = {
    .abi_version = OSIRIS_ABI_VERSION,
    .struct_size = sizeof(struct osiris_host),
    .step_id = "",
    .log = host_log,
    .event = host_event,
    .metric = host_metric,
    .error = host_error,
    .cancelled = host_cancelled,
    .artifacts_dir = host_no_dir,
    .temp_dir = host_no_dir,
    .open_input = host_no_input,
    .open_output = host_no_output,
};

/* The verbs. */

/* A verb has returned `result`. An error that the adapter has reported meanwhile is the error, whatever the result; otherwise a result other than 0
 * is an error without a reason. */
static int end_verb(struct adapter_host *host, const char *verb, int result, struct osiris_error *error)
{
    _cleanup_error_ struct osiris_error reported = OSIRIS_ERROR_INIT;

    pthread_mutex_lock(&host->lock);
    osiris_error_move(&reported, &host->reported);
    pthread_mutex_unlock(&host->lock);
    if (result == 0 && reported.category == 0)
        return 0;
    if (reported.category == 0)
        osiris_error_set(&reported, OSIRIS_ERROR_INTERNAL, "%s failed and gave no reason; this is a fault of the adapter", verb);
    osiris_error_prefix(&reported, "adapter \"%s\"", host->adapter->name);
    osiris_error_move(error, &reported);
    return -1;
}

/* The same for verbs that cannot fail: the error is only logged. */
static int end_quietly(struct adapter_host *host, int level, const char *verb, int result)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (end_verb(host, verb, result, &error) == 0)
        return 0;
    host->sink->log(host->sink->context, level, host->adapter->name, error.message);
    return -1;
}

static int check_options(struct adapter_host *host, json_object *given, struct osiris_error *error)
{
    _cleanup_json_ json_object *spec = json_parse(host->adapter->spec, NULL);
    json_object *schema = json_member(spec, "configSchema");

    host->values.config = given == NULL ? json_object_new_object() : json_copy(given);
    if (schema == NULL)
        return 0;
    schema_fill_defaults(schema, host->values.config);
    if (schema_check_value(schema, host->values.config, error) < 0) {
        /* The message may quote a value. */
        redactor_error(host->redactor, error);
        return osiris_error_prefix(error, "options of adapter \"%s\"", host->adapter->name);
    }
    return 0;
}

static void free_host(struct adapter_host *host)
{
    adapter_bundle_clear(&host->bundle);
    pthread_mutex_destroy(&host->lock);
    osiris_error_clear(&host->reported);
    host_values_clear(&host->values);
    free(host);
}

struct adapter_host *adapter_host_open(const struct adapter_host_options *options,
                                       struct osiris_error *error)
{
    const struct osiris_adapter *adapter = find_adapter(options, error);

    if (adapter == NULL) {
        redactor_error(options->redactor, error);
        return NULL;
    }
    struct adapter_host *host = calloc(1, sizeof *host);
    host_values_init(&host->values);
    pthread_mutex_init(&host->lock, NULL);
    host->values.misused = on_misuse;
    host->table = table_template;
    host_values_fill(&host->table);
    host->table.context = host;
    host->table.run_id = options->run_id;
    host->table.component = adapter->name;
    host->adapter = adapter;
    host->context = *options->context;
    host->context.bundle = options->make_bundle == NULL ? NULL : host_bundle;
    host->options = options;
    host->thread = pthread_self();
    host->redactor = options->redactor;
    host->sink = options->sink;
    if (check_options(host, options->options, error) == 0) {
        host_values_serve(&host->values);
        if (end_verb(host, "open", adapter->open(&host->table, &host->context, &host->state), error) == 0)
            return host;
        host_values_serve(NULL);
    }
    free_host(host);
    return NULL;
}

int adapter_host_prepare(struct adapter_host *host, struct osiris_error *error)
{
    return end_verb(host, "prepare", host->adapter->prepare(host->state), error);
}

/* Channels. */

static size_t count_drivers(const struct adapter_host *host)
{
    size_t count = 0;

    while (host->context.driver_paths[count] != NULL)
        count++;
    return count;
}

/* A verb that fills in the channel has returned `result`. An unusable channel is not passed on. Its descriptors are not closed, because they
 * may be anything. */
static int take_channel(struct adapter_host *host, const char *verb, int result, struct osiris_channel *channel,
                        struct osiris_error *error)
{
    const struct adapter_channel_source source = {host->adapter->name, verb, count_drivers(host)};
    bool failed = end_verb(host, verb, result, error) < 0;

    if (adapter_channel_check(channel, &source, failed ? NULL : error) == 0) {
        if (!failed) {
            adapter_channel_copy(channel, source.driver_count);
            return 0;
        }
        adapter_channel_close(channel);
    }
    *channel = (struct osiris_channel)ADAPTER_CHANNEL_INIT;
    return -1;
}

int adapter_host_execute(struct adapter_host *host, struct osiris_channel *channel,
                         struct osiris_error *error)
{
    *channel = (struct osiris_channel)ADAPTER_CHANNEL_INIT;
    return take_channel(host, "execute", host->adapter->execute(host->state, channel), channel, error);
}

bool adapter_host_can_reconnect(const struct adapter_host *host)
{
    return OSIRIS_HAS(host->adapter, reconnect) && host->adapter->reconnect != NULL;
}

int adapter_host_reconnect(struct adapter_host *host, struct osiris_channel *channel,
                           struct osiris_error *error)
{
    *channel = (struct osiris_channel)ADAPTER_CHANNEL_INIT;
    return take_channel(host, "reconnect", host->adapter->reconnect(host->state, channel), channel, error);
}

void adapter_host_worker_exit(struct adapter_host *host, int timeout_ms,
                              struct osiris_worker_exit *result)
{
    *result = (struct osiris_worker_exit){.struct_size = sizeof *result};
    /* It is called repeatedly. */
    if (end_quietly(host, OSIRIS_DEBUG, "worker_exit", host->adapter->worker_exit(host->state, timeout_ms, result)) < 0)
        result->state = OSIRIS_WORKER_LOST;
}

void adapter_host_terminate(struct adapter_host *host, int how)
{
    (void)end_quietly(host, OSIRIS_WARNING, "terminate", host->adapter->terminate(host->state, how));
}

int adapter_host_collect(struct adapter_host *host, struct osiris_error *error)
{
    return end_verb(host, "collect", host->adapter->collect(host->state), error);
}

void adapter_host_close(struct adapter_host *host)
{
    if (host == NULL)
        return;
    host->adapter->close(host->state);
    (void)end_quietly(host, OSIRIS_WARNING, "close", 0);
    host_values_serve(NULL);
    free_host(host);
}
