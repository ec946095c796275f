/*
 * Anything at all from two workers to the whole of a session: answers, events, and streams that cross from one place to the other.
 * What the session says keeps to the protocol, and it comes to an end when the workers do. The input: see feed.h.
 *
 * The places are the harness's sockets; what a run records and the folders it makes do not happen.
 */
#include "feed.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/adapter/host.h"
#include "orchestrator/session/session.h"

#define PATIENCE_MS 20000

static const char plan[] =
    "{\"pipeline\": \"p\", \"steps\": ["
    "{\"id\": \"make\", \"component\": \"x.make\", \"driver\": \"x.make\", \"kind\": \"extractor\", \"group\": 0, \"place\": \"here\","
    " \"needs\": [], \"after\": [], \"inputs\": []},"
    "{\"id\": \"near\", \"component\": \"x.read\", \"driver\": \"x.read\", \"kind\": \"writer\", \"group\": 0, \"place\": \"here\","
    " \"needs\": [\"make\"], \"after\": [], \"inputs\": [{\"name\": \"df\", \"from\": \"make\", \"output\": \"df\", \"edge\": 0}]},"
    "{\"id\": \"far\", \"component\": \"x.read\", \"driver\": \"x.read\", \"kind\": \"writer\", \"group\": 0, \"place\": \"there\","
    " \"needs\": [\"make\"], \"after\": [], \"inputs\": [{\"name\": \"df\", \"from\": \"make\", \"output\": \"df\", \"edge\": 1}]},"
    "{\"id\": \"last\", \"component\": \"x.make\", \"driver\": \"x.make\", \"kind\": \"extractor\", \"group\": 1, \"place\": \"there\","
    " \"needs\": [], \"after\": [\"near\"], \"inputs\": []}],"
    "\"edges\": [{\"id\": 0, \"from\": \"make\", \"output\": \"df\", \"to\": \"near\", \"input\": \"df\", \"mode\": \"bounded\"},"
    "{\"id\": 1, \"from\": \"make\", \"output\": \"df\", \"to\": \"far\", \"input\": \"df\", \"mode\": \"bounded\"}],"
    "\"groups\": [{\"id\": 0, \"steps\": [\"make\", \"near\", \"far\"], \"after\": []},"
    "{\"id\": 1, \"steps\": [\"last\"], \"after\": [0]}]}";

static const char components[] =
    "[{\"file\": \"/x.so\", \"plugin\": \"x\", \"drivers\": ["
    "{\"name\": \"x.make\", \"kind\": \"extractor\", \"version\": \"1\", \"spec\": {\"modes\": [\"extract\"]}},"
    "{\"name\": \"x.read\", \"kind\": \"writer\", \"version\": \"1\", \"spec\": {\"modes\": [\"write\"]}}]}]";

/* Places: each has its socket, once. */

static int sockets[FEED_CHANNELS];
static bool places_opened[FEED_CHANNELS]; /* each is asked for on a thread of its own */

#define WRAPPED(type, name, ...)                                                                   \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(struct adapter_host *, adapter_host_open, const struct adapter_host_options *options,
        struct osiris_error *error)
{
    size_t place = strcmp(options->name, "here") != 0;

    if (!places_opened[place]) {
        places_opened[place] = true;
        return (struct adapter_host *)&sockets[place];
    }
    osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "no more places than two, \"%s\"", options->name);
    return NULL;
}

WRAPPED(int, adapter_host_prepare, struct adapter_host *host, struct osiris_error *error)
{
    (void)host;
    (void)error;
    return 0;
}

WRAPPED(int, adapter_host_execute, struct adapter_host *host, struct osiris_channel *channel,
        struct osiris_error *error)
{
    (void)error;
    *channel = (struct osiris_channel)ADAPTER_CHANNEL_INIT;
    channel->socket = *(int *)host;
    return 0;
}

WRAPPED(bool, adapter_host_can_reconnect, const struct adapter_host *host)
{
    (void)host;
    return false;
}

WRAPPED(void, adapter_host_worker_exit, struct adapter_host *host, int timeout_ms,
        struct osiris_worker_exit *result)
{
    (void)host;
    (void)timeout_ms;
    *result = (struct osiris_worker_exit){.struct_size = sizeof *result, .state = OSIRIS_WORKER_EXITED};
}

WRAPPED(void, adapter_host_terminate, struct adapter_host *host, int how)
{
    (void)host;
    (void)how;
}

WRAPPED(int, adapter_host_collect, struct adapter_host *host, struct osiris_error *error)
{
    (void)host;
    (void)error;
    return 0;
}

WRAPPED(void, adapter_host_close, struct adapter_host *host)
{
    (void)host;
}

/* Records: what would be written is looked at, that it can be. */

WRAPPED(const char *, rundir_path, const struct rundir *rundir)
{
    (void)rundir;
    return "/no-such-folder";
}

WRAPPED(const char *, rundir_artifacts_path, const struct rundir *rundir)
{
    (void)rundir;
    return "/no-such-folder/artifacts";
}

WRAPPED(const char *, rundir_temp_path, const struct rundir *rundir)
{
    (void)rundir;
    return "/no-such-folder/tmp";
}

WRAPPED(char *, rundir_shown, const struct rundir *rundir, const char *path)
{
    (void)rundir;
    return strdup(path);
}

WRAPPED(void, rundir_event, struct rundir *rundir, const char *event, json_object *fields)
{
    (void)rundir;
    FUZZ_CHECK(event != NULL && (fields == NULL || json_object_to_json_string(fields) != NULL));
    json_object_put(fields);
}

WRAPPED(void, rundir_metric, struct rundir *rundir, const char *metric, double value,
        const char *unit, json_object *tags)
{
    (void)rundir;
    (void)value;
    (void)unit;
    FUZZ_CHECK(metric != NULL);
    json_object_put(tags);
}

WRAPPED(void, rundir_log, struct rundir *rundir, int level, const char *source, const char *message)
{
    (void)rundir;
    (void)source;
    FUZZ_CHECK(message != NULL && level >= OSIRIS_DEBUG && level <= OSIRIS_ERROR);
}

WRAPPED(void, rundir_note, struct rundir *rundir, const char *source, const char *format, ...)
{
    (void)rundir;
    FUZZ_CHECK(source != NULL && format != NULL);
}

WRAPPED(void, rundir_flush, struct rundir *rundir)
{
    (void)rundir;
}

WRAPPED(int, atomic_file_write, const char *path, const void *bytes, size_t length, mode_t mode,
        struct osiris_error *error)
{
    (void)mode;
    (void)error;
    FUZZ_CHECK(path != NULL && bytes != NULL && length > 0);
    return 0;
}

WRAPPED(int, make_directories, const char *path, mode_t mode, struct osiris_error *error)
{
    (void)path;
    (void)mode;
    (void)error;
    return 0;
}

WRAPPED(void, remove_tree, const char *path)
{
    (void)path;
}

/* The session. */

static json_object *parse(const char *text)
{
    json_object *value = json_tokener_parse(text);

    FUZZ_CHECK(value != NULL);
    return value;
}

static struct plan *read_plan(const char *text)
{
    json_object *json = parse(text);
    struct plan *found = plan_read(json, NULL);

    json_object_put(json);
    return found;
}

static void *run_session(void *context)
{
    struct session_options *options = context;
    struct osiris_error error = OSIRIS_ERROR_INIT;
    struct session_result result;
    int outcome = session_run(options, &result, &error);

    FUZZ_CHECK((outcome < 0) == (error.category != 0));
    FUZZ_CHECK(outcome < 0 || result.steps_completed == result.steps_total);
    FUZZ_CHECK(json_object_object_length(result.steps) == 4);
    json_object_put(result.steps);
    osiris_error_clear(&error);
    return NULL;
}

static struct registry *make_registry(void)
{
    _cleanup_json_ json_object *descriptions = parse(components);
    struct registry *registry = registry_new_from_json(descriptions);

    FUZZ_CHECK(registry != NULL);
    return registry;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct compiled compiled = {.manifest = json_object_new_object(), .plan = read_plan(plan),
                                .configs = parse("{\"make\": {}, \"near\": {}, \"far\": {}, \"last\": {}}"),
                                .connections = json_object_new_object(), .secrets = parse("[\"s3cret\"]")};
    struct session_options options = {.compiled = &compiled, .registry = make_registry(),
                                      .redactor = redactor_new(), .run_id = "r", .adapter = "here",
                                      .worker_path = "/worker", .version = "0",
                                      .limits = {.cancel_grace_ms = 300, .exit_ms = 1000}};
    struct feed feed;
    pthread_t thread;

    FUZZ_CHECK(options.redactor != NULL);
    memset(places_opened, 0, sizeof places_opened);
    feed_open(&feed, sockets, FEED_CHANNELS);
    FUZZ_CHECK(pthread_create(&thread, NULL, run_session, &options) == 0);
    feed_play(&feed, data, size);
    feed_end(&feed);
    feed_drain(&feed, PATIENCE_MS);
    for (size_t i = 0; i < FEED_CHANNELS; i++)
        FUZZ_CHECK(feed.ends[i].ended);
    FUZZ_CHECK(pthread_join(thread, NULL) == 0);
    feed_close(&feed);
    registry_free(options.registry);
    redactor_free(options.redactor);
    json_object_put(compiled.manifest);
    plan_free(compiled.plan);
    json_object_put(compiled.configs);
    json_object_put(compiled.connections);
    json_object_put(compiled.secrets);
    return 0;
}
