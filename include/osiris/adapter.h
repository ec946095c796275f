/*
 * An execution adapter decides where a worker runs. It creates a place (a child process, a
 * sandbox), starts osiris-worker there, hands Osiris a channel to it (a socket or two pipes), brings
 * the artifacts home and always removes the place. Osiris speaks the protocol (docs/protocol.md)
 * over the channel; an adapter never looks at the data.
 *
 * The calls of one state come in this order:
 *
 *     open → prepare → execute → … worker_exit / terminate … → collect → close
 *
 * Threads: all calls of one state are made on one thread of the orchestrator, which is used for
 * nothing else and lives until `close` has returned. States of the same adapter for other places
 * may be called at the same time, on their threads.
 *
 * Time: `open`, `prepare`, `execute` and `collect` may take as long as they need, with timeouts
 * of their own. They ask host->cancelled() a few times a second and give up if it returns true.
 * `close` limits its waits, too. The other calls return soon, or within the timeout that they are
 * given.
 *
 * Process: an adapter runs in the process of Osiris, with whatever threads it starts.
 *  - It never ends that process (exit, _exit, a signal), never replaces it (execve without a
 *    fork), and never ends the thread that it is called on. Each of these, and a crash, is the
 *    fault of the adapter. The run fails, and the message names the adapter and the verb.
 *  - After exit, quick_exit, pthread_exit or a crash in a call, Osiris ends the run in order: it
 *    does not call the adapter again, but closes the other places. Anything else ends the run at
 *    once, without `close` for any place: _exit, execve, whatever happens on threads that the
 *    adapter has started, and a crash whose signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
 *    SIGSYS, SIGTRAP) the adapter has blocked or handles itself. A supervising parent process
 *    reports that.
 *  - A child that it forks ends with exec or _exit.
 *  - Its working directory and umask belong to its thread alone, unless the system refuses that
 *    (unshare), as in some containers. Before each call they are those with which Osiris was started.
 *  - Exit handlers that it registers in the process are not run.
 *
 * `close` follows every successful `open`, whatever failed. Afterwards nothing of the place is
 * left: no process, no sandbox, no file.
 *
 * Secrets reach the worker over the socket. An adapter sees only its own.
 *
 * Return values are as for drivers: 0, or -1 after host->error(). A verb that reports an error,
 * or returns anything but 0, has failed. If worker_exit fails, the worker counts as
 * OSIRIS_WORKER_LOST. What terminate and close report is a warning.
 */
#ifndef OSIRIS_ADAPTER_H
#define OSIRIS_ADAPTER_H

#include <osiris/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct osiris_adapter_context;

/* Since 1.3. A bundle (docs/bundle.md): osiris-worker, the drivers of the place's steps, and
 * everything that they need, in one archive. The strings are valid until `close` has returned. */
struct osiris_bundle {
    uint32_t struct_size; /* set by the caller */
    const char *path;     /* the archive on this machine: tar in gzip */
    const char *hash;     /* of the content: hexadecimal digits */
    int64_t size;         /* of the archive in bytes */
    /* NULL-terminated: where the files of context->driver_paths lie in the unpacked bundle
     * ("drivers/csv.so"), in the same order. */
    const char *const *driver_paths;
    const char *description; /* the text of bundle.json */
};

/* What is to run. It is fixed before `open`, and valid until `close` has returned. */
struct osiris_adapter_context {
    uint32_t struct_size;
    const char *manifest;              /* the compiled manifest, JSON, without secrets */
    const char *worker_path;           /* the osiris-worker of this machine */
    const char *const *driver_paths;   /* NULL-terminated: the shared objects that the run needs */
    const char *const *environment;    /* NULL-terminated NAME=value: all of the worker's environment */
    const char *run_dir;               /* the directory of the run */
    const char *artifacts_dir;         /* where `collect` puts artifacts/<step>/… */
    /* Since 1.1. A descriptor of the command's standard output if a step writes to it (the path
     * "-"), or else -1. A worker on this machine gets a duplicate (osiris-worker --stdout-fd). A
     * place that cannot pass it on ignores it. */
    int32_t standard_output;
    /* Since 1.3. Makes the bundle, or finds it in the cache. Call it in `prepare`, on the thread of
     * that call, with the context that `open` was given. It may take seconds. 0, or -1 with the error
     * reported. NULL: this Osiris was built without bundles. */
    int (*bundle)(const struct osiris_adapter_context *, struct osiris_bundle *);
};

/* The kind of channel. */
enum {
    OSIRIS_CHANNEL_REMOTE = 1, /* it leaves this machine, so compression is worthwhile */
    /* Since 1.3. The place does not have the files of this machine. Osiris then opens the inputs
     * and outputs of the pipeline itself, and their contents and the artifacts go over the
     * channel. */
    OSIRIS_CHANNEL_FILES_HOME = 2,
};

/* A started worker, as `execute` hands it over. The host has set struct_size, all descriptors to -1
 * and everything else to 0, and the adapter fills in the rest. The descriptors are different,
 * and belong to the host from then on. The strings must be valid until `close`, or until the next
 * `execute`. */
struct osiris_channel {
    uint32_t struct_size;
    int32_t socket;      /* connected stream socket, close-on-exec; -1: there is a pair, see below */
    int32_t diagnostics; /* read end of the worker's stderr, close-on-exec; -1: none */
    uint32_t flags;      /* OSIRIS_CHANNEL_…; initially 0 (since 1.1) */
    /* Since 1.3. Instead of `socket`: what the worker sends is read from `input`, and what it
     * receives is written to `output`. Pipes, sockets or terminals without echo; close-on-exec. */
    int32_t input, output;
    /* Since 1.3. Absolute paths in the place; NULL: as on this machine. Drivers, in the order of
     * context->driver_paths and NULL-terminated; folders where the worker may create the steps'
     * artifacts and temporary files; the worker's working directory. */
    const char *const *driver_paths;
    const char *artifacts_dir;
    const char *temp_dir;
    const char *working_dir;
};

enum {
    OSIRIS_WORKER_RUNNING = 0,
    OSIRIS_WORKER_EXITED = 1,   /* code: exit status */
    OSIRIS_WORKER_SIGNALLED = 2, /* code: signal number */
    /* The place is gone, or given up. No link is made to it again, so as long as that may still
     * succeed, a worker of which nothing is known is RUNNING. */
    OSIRIS_WORKER_LOST = 3,
};

struct osiris_worker_exit {
    uint32_t struct_size;
    int32_t state; /* OSIRIS_WORKER_… */
    int32_t code;
};

enum {
    OSIRIS_TERMINATE_ASK = 0,  /* give it time to clean up */
    OSIRIS_TERMINATE_KILL = 1, /* at once, with everything that it has started */
};

struct osiris_adapter {
    uint32_t struct_size; /* sizeof(struct osiris_adapter) */
    const char *name;     /* "local", "e2b": what --adapter takes, and the file name without ".so" */
    const char *version;
    /* JSON: title, description, configSchema (the options of the adapter), secrets (JSON pointers
     * to secret options, "/api_key"). The options are checked when a pipeline that uses them is
     * compiled, and before `open`. One that configSchema does not mention is refused with
     * "additionalProperties": false, and otherwise causes a warning unless that is true or a
     * schema. The values of secret options are masked in everything that the adapter reports. So
     * are options with secret names, and values from variables with such names. */
    const char *spec;

    int (*open)(const struct osiris_host *host, const struct osiris_adapter_context *context,
                void **state);
    /* Checks and collects what the place needs. Nothing is started yet. */
    int (*prepare)(void *state);
    /* Creates the place, starts the worker and fills in *channel. */
    int (*execute)(void *state, struct osiris_channel *channel);
    /* The state of the worker. Waits up to timeout_ms for it to end (0: does not wait). At the end of
     * a run the worker exits by itself, before Osiris closes the channel. */
    int (*worker_exit)(void *state, int32_t timeout_ms, struct osiris_worker_exit *result);
    /* Ends the worker. Does not wait. Does nothing if the worker has already ended. */
    int (*terminate)(void *state, int32_t how);
    /* Brings the artifacts home, after the worker has ended or will send no more. The worker leaves
     * files, folders, and links that point inside them. Anything else that arrives is removed
     * (host.h, artifacts_dir). */
    int (*collect)(void *state);
    void (*close)(void *state);

    /* Since 1.1. Optional (NULL). The channel broke: makes another one to the same worker and
     * fills in `socket`, or `input` and `output`, of *channel. The worker must be one that can be
     * reached again (osiris-worker --listen-fd, or --start). Returns soon. After -1 it is called again,
     * a few times a second, for up to a minute, unless worker_exit says that the worker has ended or
     * is lost. */
    int (*reconnect)(void *state, struct osiris_channel *channel);
};

#ifdef __cplusplus
}
#endif

#endif
