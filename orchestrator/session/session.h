/*
 * One run of a compiled pipeline: opens the adapters, speaks the protocol with the workers that they start, starts the steps, commits
 * groups that have succeeded, cancels on the signals of ending-signals.h, records events, metrics and logs, and always tears the
 * places down.
 *
 * One thread, one poll loop. session_run returns when nothing of the run is left. Meanwhile those signals are blocked and read from a
 * descriptor; the old mask is restored at the end.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_SESSION_H
#define OSIRIS_ORCHESTRATOR_SESSION_SESSION_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/adapter/adapter-bundle.h"
#include "orchestrator/compile/compile.h"
#include "core/base/error.h"
#include "core/base/redact.h"
#include "orchestrator/registry/registry.h"
#include "orchestrator/records/rundir.h"
#include "orchestrator/records/trace.h"

/* Timeouts and limits (docs/architecture.md lists them); 0: the default, which is given here. */
struct session_limits {
    int64_t hello_ms;              /* worker started to hello answered: 10 000 */
    int64_t prepare_ms;            /* drivers loaded: 60 000 */
    int64_t heartbeat_interval_ms; /* 5 000 */
    int64_t heartbeat_timeout_ms;  /* 15 000, three missed heartbeats */
    int64_t cancel_grace_ms;       /* cancel or abort to kill: 10 000 */
    int64_t commit_ms;             /* one of a commit's requests: 600 000 */
    int64_t exit_ms;               /* channel closed to worker gone: 5 000 */
    int64_t resume_ms;             /* link lost to link re-established: 60 000 */
    int64_t silence_ms;            /* of a driver that is being called: 300 000; negative: unlimited */
    int64_t queue_bytes;           /* of a stream's queue: 1 MiB */
    int64_t spill_bytes;           /* of an elastic edge in memory: 8 MiB */
};

/* Callbacks for a user interface; each may be NULL. Called on the thread of session_run. */
struct session_observer {
    void (*step_started)(void *context, const char *step_id, const char *component);
    void (*step_progress)(void *context, const char *step_id, int64_t rows, int64_t bytes);
    /* The step's group starts again in delay_ms, after attempt number `attempt`. Texts are redacted. */
    void (*step_retried)(void *context, const char *step_id, const char *message,
                         int64_t attempt, int64_t max_attempts, int64_t delay_ms);
    /* error: NULL if the step has succeeded. */
    void (*step_finished)(void *context, const char *step_id, const struct osiris_error *error,
                          int64_t rows, int64_t bytes, double duration_ms);
    void (*published)(void *context, const char *step_id, const char *path, int64_t bytes);
    /* The message is redacted. level: OSIRIS_DEBUG…; source: a step id, "worker" or NULL. */
    void (*log)(void *context, int level, const char *source, const char *message);
    /* The first signal has arrived; the run is being cancelled. */
    void (*cancelling)(void *context, int signal_number);
};

struct session_options {
    const struct compiled *compiled;
    struct registry *registry;
    struct rundir *rundir;
    struct redactor *redactor; /* already knows the run's secrets */
    const char *run_id;
    const char *verb;               /* of the steps: "check", …; NULL: they run */
    const char *adapter;            /* "local" */
    json_object *adapter_options;   /* an object, or NULL */
    json_object *places;            /* {run_on's name: {adapter, options}}; other names are adapters' own; or NULL */
    json_object *environment;       /* {NAME: value} for the worker, or NULL: what pass_env allows */
    const char *worker_path;
    const char *adapter_path;       /* folders, colon-separated, searched first; or NULL */
    const char *adapter_dir;        /* the installed folder */
    const char *version;            /* of osiris */
    adapter_bundle_maker *make_bundle; /* for adapters that ask for bundles; or NULL */
    bool gives_stdout;              /* a step writes to this process's standard output: the path "-" */
    struct session_limits limits;
    struct trace_writer *trace;     /* frames are traced and logged; or NULL */
    int64_t timeout_ms; /* of the whole run, from session_run on; 0: none */
    size_t max_steps;   /* of groups that run at the same time (schedule.h); 0: the default */
    int64_t retry_seed; /* of the jitter of retries; 0: a random one */
    const struct session_observer *observer; /* or NULL */
    void *observer_context;
};

struct session_result {
    int signal_number; /* the one that cancelled the run, or 0 */
    size_t steps_total;
    size_t steps_completed;
    /* {step id: {status: success|failed|cancelled|skipped, component, rows, bytes, duration_ms,
     * attempts, published: [{path, bytes}], result: what a verb returned}}; free with json_object_put */
    json_object *steps;
};

/* 0 if every group has committed. -1 if the run has failed or was cancelled; the error names the step and component. The result is
 * filled in either case. */
int session_run(const struct session_options *options, struct session_result *result,
                struct osiris_error *error);

#endif
