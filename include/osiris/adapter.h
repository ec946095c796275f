/*
 * An execution adapter decides where a worker runs. It makes a place (a child process, a sandbox), starts
 * osiris-worker there, hands Osiris one connected stream socket, brings the artifacts home and
 * always tears the place down. Osiris speaks the protocol (docs/protocol.md) over the socket; an
 * adapter never looks at what passes.
 *
 * Life, all calls of one state on one thread of the orchestrator's, which is its own and lives until `close` has returned
 * (other places' states of the same adapter may be called at the same time, on theirs):
 *
 *     open → prepare → execute → … worker_exit / terminate … → collect → close
 *
 * Up to `execute`, and in `collect`, a call may take as long as it needs, with bounds of its own; it asks host->cancelled()
 * a few times a second and gives up if that is so. `close` bounds its waits, too. The others return soon, or within the
 * timeout that they are given.
 *
 * An adapter runs in Osiris's own process, with whatever threads it starts. It never ends that process (exit, _exit), nor the thread
 * that it is called on: Osiris takes both, and a crash, for the adapter's fault, calls it no more, and fails the run. A child that it
 * forks ends with exec or _exit.
 * Its working directory and umask are its thread's alone, and those with which Osiris was started before each call; handlers of the
 * process's exit that it registers are not run. It does not replace the process (execve without a fork): that cannot be met.
 *
 * `close` follows every successful `open`, whatever failed; afterwards nothing of the place is left:
 * no process, no sandbox, no file. Secrets reach the worker over the socket; an adapter sees none but
 * its own. Return values are as for drivers: 0, or -1 after host->error(); a verb that reports an error, or returns anything but 0,
 * has failed. A worker_exit that fails is OSIRIS_WORKER_LOST; what terminate and close report is a warning.
 */
#ifndef OSIRIS_ADAPTER_H
#define OSIRIS_ADAPTER_H

#include <osiris/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is to run, fixed before `open`; lives until `close` has returned. */
struct osiris_adapter_context {
    uint32_t struct_size;
    const char *manifest;              /* the compiled manifest, JSON, without secrets */
    const char *worker_path;           /* this machine's osiris-worker */
    const char *const *driver_paths;   /* NULL-terminated: the shared objects that the run needs */
    const char *const *environment;    /* NULL-terminated NAME=value: the worker's whole environment */
    const char *run_dir;               /* the run's directory */
    const char *artifacts_dir;         /* where `collect` puts artifacts/<step>/… */
    /* Since 1.1. A descriptor of the command's standard output, if a step writes to it (the path "-"), else -1: a worker on
     * this machine gets a duplicate (osiris-worker --stdout-fd). A place that cannot give it leaves it alone. */
    int32_t standard_output;
};

/* What kind of channel it is. */
enum {
    OSIRIS_CHANNEL_REMOTE = 1, /* it leaves this machine: worth compressing for */
};

/* A started worker, as `execute` hands it over: the host has set struct_size, the adapter fills in the rest. The descriptors are two,
 * and belong to the host from then on. */
struct osiris_channel {
    uint32_t struct_size;
    int32_t socket;      /* connected stream socket, close-on-exec */
    int32_t diagnostics; /* readable end of the worker's stderr, close-on-exec; -1: none */
    uint32_t flags;      /* OSIRIS_CHANNEL_…; 0 at first (since 1.1) */
};

enum {
    OSIRIS_WORKER_RUNNING = 0,
    OSIRIS_WORKER_EXITED = 1,   /* code: exit status */
    OSIRIS_WORKER_SIGNALLED = 2, /* code: signal number */
    OSIRIS_WORKER_LOST = 3,     /* the place is gone or does not answer */
};

struct osiris_worker_exit {
    uint32_t struct_size;
    int32_t state; /* OSIRIS_WORKER_… */
    int32_t code;
};

enum {
    OSIRIS_TERMINATE_ASK = 0,  /* let it clean up */
    OSIRIS_TERMINATE_KILL = 1, /* at once, with all it started */
};

struct osiris_adapter {
    uint32_t struct_size; /* sizeof(struct osiris_adapter) */
    const char *name;     /* "local", "e2b": what --adapter takes; also the file's name less ".so" */
    const char *version;
    /* JSON: title, description, configSchema of the adapter's options, secrets: those that are, as JSON pointers ("/api_key"). Their
     * values are masked in all that the adapter says; options with secret names are, too, and what came from variables with such
     * names. */
    const char *spec;

    int (*open)(const struct osiris_host *host, const struct osiris_adapter_context *context,
                void **state);
    /* Check and gather what the place needs; nothing is started yet. */
    int (*prepare)(void *state);
    /* Make the place, start the worker, fill *channel. */
    int (*execute)(void *state, struct osiris_channel *channel);
    /* How the worker stands; waits up to timeout_ms (0: does not wait) for it to end. */
    int (*worker_exit)(void *state, int32_t timeout_ms, struct osiris_worker_exit *result);
    /* End the worker. Does not wait. Harmless when it has ended. */
    int (*terminate)(void *state, int32_t how);
    /* After the worker has ended, or will send no more: bring the artifacts home. The worker leaves files, folders and links inside
     * of them; what else arrives is removed (host.h, artifacts_dir). */
    int (*collect)(void *state);
    void (*close)(void *state);

    /* Since 1.1. Optional (NULL): the channel broke; make another to the same worker, which must be one that can be
     * reached again (osiris-worker --listen-fd), and fill in `socket` of *channel. Returns soon; on -1 it is called again,
     * a few times a second, for up to a minute. */
    int (*reconnect)(void *state, struct osiris_channel *channel);
};

#ifdef __cplusplus
}
#endif

#endif
