/*
 * The host table: every service that Osiris gives a driver or an adapter. It is passed to `open`; a
 * plug-in never links against Osiris.
 *
 * Rules that hold for every call:
 *  - The table and its strings live until the plug-in's `close` has returned.
 *  - Calls marked [any thread] may come from any thread of the plug-in, at the same time; the others
 *    come from the thread on which the host called the plug-in.
 *  - Texts are UTF-8 and NUL-terminated. What the plug-in passes in is copied; what it gets is
 *    borrowed and stays valid as long as the table.
 *  - Secret values are masked in everything that passes through log, event, metric and error.
 *  - The first argument is the table, or the plug-in's copy of it: the host looks at its context only. So a plug-in
 *    may give its own parts a copy with another function in it, say to hold back the error of an attempt.
 *  - NULL for the table, or where a value is wanted, is an error of the verb in progress.
 *  - When `close` has returned every call does nothing: getters give their fallback, cancelled says so, the others NULL or -1.
 *  - A function added in a later minor version is there only if OSIRIS_HAS(host, member).
 */
#ifndef OSIRIS_HOST_H
#define OSIRIS_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The interface's version. Another major version is refused. A higher minor version only appends. */
#define OSIRIS_ABI_MAJOR 1u
#define OSIRIS_ABI_MINOR 2u
#define OSIRIS_ABI_VERSION ((OSIRIS_ABI_MAJOR << 16) | OSIRIS_ABI_MINOR)

/* True if the struct that `pointer` points to is new enough to have `member`. Works on every struct of
 * this interface that begins with, or contains, a `struct_size`. */
#define OSIRIS_HAS(pointer, member)                                                                \
    ((size_t)(pointer)->struct_size >=                                                             \
     (size_t)((const char *)(&(pointer)->member + 1) - (const char *)(pointer)))

/* Where a value is looked up. */
enum {
    OSIRIS_CONFIG = 0,     /* the step's config (for an adapter: its options), defaults filled in and
                              checked against the driver's configSchema before `open` is called */
    OSIRIS_CONNECTION = 1, /* the connection's fields, secrets among them, with the step's allowed
                              overrides applied; empty if the component has no connection */
};

/* Type of a value. */
enum {
    OSIRIS_ABSENT = 0, /* not there */
    OSIRIS_NULL = 1,
    OSIRIS_BOOLEAN = 2,
    OSIRIS_INTEGER = 3,
    OSIRIS_NUMBER = 4,
    OSIRIS_STRING = 5,
    OSIRIS_ARRAY = 6,
    OSIRIS_OBJECT = 7,
};

/* Log levels. DEBUG goes to debug.log, the others to osiris.log as well. */
enum {
    OSIRIS_DEBUG = 0,
    OSIRIS_INFO = 1,
    OSIRIS_WARNING = 2,
    OSIRIS_ERROR = 3,
};

/* Error categories: who can mend it, and how. */
enum {
    OSIRIS_ERROR_CONFIG = 1,     /* the pipeline, its config or the connection file is wrong */
    OSIRIS_ERROR_CONNECTION = 2, /* no connection, or it broke */
    OSIRIS_ERROR_AUTH = 3,       /* the peer does not know who we are */
    OSIRIS_ERROR_PERMISSION = 4, /* the peer knows and refuses; or file permissions */
    OSIRIS_ERROR_NOT_FOUND = 5,  /* table, file, database, host name */
    OSIRIS_ERROR_DATA = 6,       /* a value that cannot be represented or converted */
    OSIRIS_ERROR_IO = 7,         /* disk, file system */
    OSIRIS_ERROR_TIMEOUT = 8,
    OSIRIS_ERROR_QUOTA = 9,
    OSIRIS_ERROR_CANCELLED = 10,
    OSIRIS_ERROR_INTERNAL = 11, /* a fault of the plug-in or of Osiris */
};

/* An error, reported once, where the facts are. The host adds step, driver and the pipeline's line. */
struct osiris_error_report {
    uint32_t struct_size;     /* sizeof(struct osiris_error_report) */
    int32_t category;         /* OSIRIS_ERROR_… */
    int32_t retryable;        /* non-zero: the same again may succeed */
    int32_t native_code;      /* errno, MySQL's error number, an HTTP status, …; 0: none */
    const char *native_state; /* SQLSTATE or the like, or NULL */
    const char *message;      /* what happened, lower case, no full stop */
    const char *hint;         /* what to do about it, or NULL */
    /* Since version 1.2. The option that is at fault, of the config or the connection: a key, or a JSON pointer
     * ("/columns/2"); or NULL. The user is shown its place in the pipeline. */
    const char *option;
};

/* How an output is opened. */
enum {
    OSIRIS_OUTPUT_CREATE_DIRECTORIES = 1, /* make missing parent folders */
    OSIRIS_OUTPUT_APPEND = 2,  /* begin with the content of the file that is there; see initial_size */
    OSIRIS_OUTPUT_NO_SYNC = 4, /* do not wait for the disk: a crash of the machine may lose the file */
};

struct osiris_output_options {
    uint32_t struct_size; /* sizeof(struct osiris_output_options) */
    uint32_t flags;       /* OSIRIS_OUTPUT_… */
    uint32_t mode;        /* exactly these permission bits; 0: those of the file that is there, or
                             0666 less the umask with which the worker was started */
    uint32_t reserved;    /* 0 */
    /* NULL, or where the host stores how many bytes of the existing file the output begins with (0:
     * there is none, or it is empty). Set it to -1 before the call: if it is -1 after it, the host is
     * too old to know OSIRIS_OUTPUT_APPEND, and has begun an empty file. */
    int64_t *initial_size;
};

struct osiris_host {
    uint32_t abi_version; /* OSIRIS_ABI_VERSION of the host */
    uint32_t struct_size; /* sizeof(struct osiris_host) in the host */
    void *context;        /* the host's own */

    const char *run_id;
    const char *step_id;   /* "" for an adapter */
    const char *component; /* the name that the pipeline used, e.g. "csv.writer" */

    /* Values [any thread]. `scope` is OSIRIS_CONFIG or OSIRIS_CONNECTION. `path` is a top-level key
     * ("table"), or an RFC 6901 JSON pointer if it begins with a slash ("/ssl/mode", "/columns/0").
     * The getters give `fallback` if there is no such value, it is null, or of another type (an
     * integer is also a number). */
    int32_t (*value_type)(const struct osiris_host *, int32_t scope, const char *path);
    const char *(*get_string)(const struct osiris_host *, int32_t scope, const char *path,
                              const char *fallback);
    int64_t (*get_integer)(const struct osiris_host *, int32_t scope, const char *path,
                           int64_t fallback);
    double (*get_number)(const struct osiris_host *, int32_t scope, const char *path,
                         double fallback);
    int32_t (*get_boolean)(const struct osiris_host *, int32_t scope, const char *path,
                           int32_t fallback);
    /* Members of an array or object; 0 for anything else. */
    size_t (*get_count)(const struct osiris_host *, int32_t scope, const char *path);
    /* Any value as JSON text, NULL if absent. */
    const char *(*get_json)(const struct osiris_host *, int32_t scope, const char *path);

    /* Reports [any thread]. They may wait for a slow orchestrator, within bounds, and never fail. */
    void (*log)(const struct osiris_host *, int32_t level, const char *message);
    /* `json` is an object's text with the event's fields, or NULL. */
    void (*event)(const struct osiris_host *, const char *name, const char *json);
    /* `value` is finite (else there is a warning and no metric), `unit` may be NULL. Rows and bytes of streams and outputs are counted by the host. */
    void (*metric)(const struct osiris_host *, const char *name, double value, const char *unit);
    /* Says why the verb in progress fails: it has failed then, whatever it returns. The first report counts. */
    void (*error)(const struct osiris_host *, const struct osiris_error_report *report);

    /* Non-zero once the step is to stop [any thread]. A loop asks at least once a batch, or once a
     * tenth of a second, and returns an error as soon as it is set. Asking is also a sign of life: a
     * driver from which the host hears nothing for minutes is taken for hung. */
    int32_t (*cancelled)(const struct osiris_host *);

    /* Folders of this step, made when first asked for. What is put into the artifacts folder comes
     * back under the run's artifacts/<step>/: files, folders, and links that stay inside. Pipes, sockets, devices, links that lead
     * out, and names with control characters or that are not UTF-8 are left out with a warning. The temporary one is removed after
     * the step. Both are absolute. NULL if it cannot be made (reported as an error already). */
    const char *(*artifacts_dir)(const struct osiris_host *);
    const char *(*temp_dir)(const struct osiris_host *);

    /* Files of the pipeline. A path is one on the orchestrator's machine, relative to the working
     * directory there (wherever the driver has gone meanwhile). Both return 0 and a descriptor in *fd, or -1 with the error reported.
     *
     * An input is closed by the driver. An output belongs to the host: the driver writes to it and does not
     * close it. It appears under its name when the whole group of steps has succeeded, whole or
     * not at all, whatever kind of step it is. It may be opened in `run` (or the output's functions) and in `commit`. Outputs are seekable where the place is local; do not depend on it. The path "-" is the standard output of
     * the command, where the place can give it: one step of a run gets it, nothing is taken back, and writing to it may
     * wait for the reader (use poll, and ask for a cancel). */
    int (*open_input)(const struct osiris_host *, const char *path, int *fd);
    int (*open_output)(const struct osiris_host *, const char *path,
                       const struct osiris_output_options *options, int *fd);

    /* Since 1.1. All is written to this output, and its descriptor is not used any more: the host may sync and close it.
     * It appears together with the others. A driver with many outputs calls it for each; those left are finished when `run`,
     * and the output stream, have succeeded. 0, or -1 with the error reported. */
    int (*finish_output)(const struct osiris_host *, int fd);

    /* Since version 1.1. What is called after `open`: "run", "check", "discover" or "plan"; or, without `open`, "validate". */
    const char *verb;
    /* The verb's answer: the text of a JSON object. The last one counts; what is no object is the driver's fault. */
    void (*result)(const struct osiris_host *, const char *json);
};

#ifdef __cplusplus
}
#endif

#endif
