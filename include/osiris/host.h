/*
 * The host table contains every service that Osiris provides to a driver or an adapter. It is
 * passed to `open`. A plug-in never links against Osiris.
 *
 * Rules for every call:
 *  - The table and its strings are valid until the plug-in's `close` has returned.
 *  - Calls marked [any thread] may be made from any thread of the plug-in, also at the same time.
 *    The others must be made from the thread on which the host called the plug-in.
 *  - Texts are UTF-8 and NUL-terminated. What the plug-in passes in is copied. What it gets is
 *    borrowed and valid as long as the table.
 *  - Secret values are masked in everything that passes through log, event, metric and error.
 *  - The first argument is the table or the plug-in's copy of it: the host uses only its context.
 *    A plug-in may therefore pass its own parts a copy with another function in it, for example
 *    to hold back the error of an attempt.
 *  - NULL for the table, or where a value is required, is an error of the verb in progress.
 *  - When `close` has returned, every call does nothing: getters return their fallback, cancelled
 *    returns true, and the others NULL or -1.
 *  - A function added in a later minor version exists only if OSIRIS_HAS(host, member).
 */
#ifndef OSIRIS_HOST_H
#define OSIRIS_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the interface. Another major version is refused. A higher minor version only
 * appends. */
#define OSIRIS_ABI_MAJOR 1u
#define OSIRIS_ABI_MINOR 3u
#define OSIRIS_ABI_VERSION ((OSIRIS_ABI_MAJOR << 16) | OSIRIS_ABI_MINOR)

/* True if the struct at `pointer` is new enough to have `member`. Works with every struct of this
 * interface that begins with, or contains, a `struct_size`. */
#define OSIRIS_HAS(pointer, member)                                                                \
    ((size_t)(pointer)->struct_size >=                                                             \
     (size_t)((const char *)(&(pointer)->member + 1) - (const char *)(pointer)))

/* Where a value is looked up. */
enum {
    OSIRIS_CONFIG = 0,     /* the step's config (for an adapter: its options), with defaults filled in,
                              and checked against the driver's configSchema before `open` is called */
    OSIRIS_CONNECTION = 1, /* the fields of the connection, including secrets, with the step's allowed
                              overrides applied; empty if the component has no connection */
};

/* The type of a value. */
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

/* Log levels. DEBUG is written to debug.log, the others to osiris.log as well. */
enum {
    OSIRIS_DEBUG = 0,
    OSIRIS_INFO = 1,
    OSIRIS_WARNING = 2,
    OSIRIS_ERROR = 3,
};

/* Error categories. They say who can correct the error, and how. */
enum {
    OSIRIS_ERROR_CONFIG = 1,     /* the pipeline, its config or the connection file is wrong */
    OSIRIS_ERROR_CONNECTION = 2, /* the connection failed or was lost */
    OSIRIS_ERROR_AUTH = 3,       /* the peer does not accept our identity */
    OSIRIS_ERROR_PERMISSION = 4, /* the peer accepts it and refuses access; or file permissions */
    OSIRIS_ERROR_NOT_FOUND = 5,  /* table, file, database, host name */
    OSIRIS_ERROR_DATA = 6,       /* a value that cannot be represented or converted */
    OSIRIS_ERROR_IO = 7,         /* disk, file system */
    OSIRIS_ERROR_TIMEOUT = 8,
    OSIRIS_ERROR_QUOTA = 9,
    OSIRIS_ERROR_CANCELLED = 10,
    OSIRIS_ERROR_INTERNAL = 11, /* a fault of the plug-in or of Osiris */
};

/* An error. It is reported once, where the facts are known. The host adds the step, the driver
 * and the line of the pipeline. */
struct osiris_error_report {
    uint32_t struct_size;     /* sizeof(struct osiris_error_report) */
    int32_t category;         /* OSIRIS_ERROR_… */
    int32_t retryable;        /* non-zero: another attempt may succeed */
    int32_t native_code;      /* errno, MySQL's error number, an HTTP status, …; 0: none */
    const char *native_state; /* SQLSTATE or the like, or NULL */
    const char *message;      /* what happened, lower case, no full stop */
    const char *hint;         /* what to do about it, or NULL */
    /* Since version 1.2. The option of the config or the connection that is at fault: a key, a JSON
     * pointer ("/columns/2"), or NULL. The user is shown its position in the pipeline. */
    const char *option;
};

/* How an output is opened. */
enum {
    OSIRIS_OUTPUT_CREATE_DIRECTORIES = 1, /* create missing parent folders */
    OSIRIS_OUTPUT_APPEND = 2,  /* begin with the content of the existing file; see initial_size */
    OSIRIS_OUTPUT_NO_SYNC = 4, /* do not wait for the disk: a crash of the machine may lose the file */
};

struct osiris_output_options {
    uint32_t struct_size; /* sizeof(struct osiris_output_options) */
    uint32_t flags;       /* OSIRIS_OUTPUT_… */
    uint32_t mode;        /* exactly these permission bits; 0: those of the existing file, or 0666
                             less the umask with which the worker was started */
    uint32_t reserved;    /* 0 */
    /* NULL, or where the host stores the number of bytes of the existing file that the output
     * begins with (0: there is no such file, or it is empty). Set it to -1 before the call. If it
     * is still -1 afterwards, the host is too old to support OSIRIS_OUTPUT_APPEND and has begun
     * an empty file. */
    int64_t *initial_size;
};

struct osiris_host {
    uint32_t abi_version; /* the OSIRIS_ABI_VERSION of the host */
    uint32_t struct_size; /* sizeof(struct osiris_host) in the host */
    void *context;        /* the host's own */

    const char *run_id;
    const char *step_id;   /* "" for an adapter */
    const char *component; /* the name that the pipeline used, e.g. "csv.writer" */

    /* Values [any thread]. `scope` is OSIRIS_CONFIG or OSIRIS_CONNECTION. `path` is a top-level
     * key ("table"), or an RFC 6901 JSON pointer if it begins with a slash ("/ssl/mode",
     * "/columns/0"). The getters return `fallback` if the value is absent, null, or of another
     * type. An integer is also a number. `value_type` says how a value was written: 2.0 and 2e0 are
     * OSIRIS_NUMBER, although a schema's "integer" accepts them and get_integer returns 2. An
     * integer above INT64_MAX is OSIRIS_NUMBER, too: "integer" and get_integer do not accept it. */
    int32_t (*value_type)(const struct osiris_host *, int32_t scope, const char *path);
    const char *(*get_string)(const struct osiris_host *, int32_t scope, const char *path,
                              const char *fallback);
    int64_t (*get_integer)(const struct osiris_host *, int32_t scope, const char *path,
                           int64_t fallback);
    double (*get_number)(const struct osiris_host *, int32_t scope, const char *path,
                         double fallback);
    int32_t (*get_boolean)(const struct osiris_host *, int32_t scope, const char *path,
                           int32_t fallback);
    /* The number of members of an array or object; 0 for anything else. */
    size_t (*get_count)(const struct osiris_host *, int32_t scope, const char *path);
    /* Any value as JSON text; NULL if absent. */
    const char *(*get_json)(const struct osiris_host *, int32_t scope, const char *path);

    /* Reports [any thread]. They may wait for a slow orchestrator, for a limited time, and never
     * fail. */
    void (*log)(const struct osiris_host *, int32_t level, const char *message);
    /* `json` is the text of an object with the event's fields, or NULL. Events and metrics under
     * the names that Osiris itself uses (docs/records.md) are not recorded; there is a warning. */
    void (*event)(const struct osiris_host *, const char *name, const char *json);
    /* `value` must be finite; otherwise there is a warning and no metric. `unit` may be NULL. The
     * host itself counts the rows and bytes of streams and outputs. */
    void (*metric)(const struct osiris_host *, const char *name, double value, const char *unit);
    /* Reports why the verb in progress fails. It has then failed, whatever it returns. The first
     * report counts. */
    void (*error)(const struct osiris_host *, const struct osiris_error_report *report);

    /* Non-zero once the step must stop [any thread]. A loop calls it at least once per batch, or
     * every tenth of a second, and returns an error as soon as it is non-zero. The call also ends
     * the silence of a driver: one that neither returns nor calls the host for minutes is
     * considered hung. */
    int32_t (*cancelled)(const struct osiris_host *);

    /* Folders of this step, created on the first call. Both paths are absolute. NULL if the
     * folder cannot be created (the error is already reported).
     *
     * The contents of the artifacts folder are kept under the run's artifacts/<step>/: files,
     * folders, and links that point inside. Pipes, sockets, devices, links that point outside,
     * and names that contain control characters or are not UTF-8 are omitted with a warning. The
     * temporary folder is removed after the step. */
    const char *(*artifacts_dir)(const struct osiris_host *);
    const char *(*temp_dir)(const struct osiris_host *);

    /* Files of the pipeline. A path refers to the machine of the orchestrator, and is relative to
     * the working directory there, whatever the driver's working directory is meanwhile. Both
     * functions return 0 and a descriptor in *fd, or -1 with the error reported.
     *
     * In a place that does not have the files of that machine, the descriptors are ends of pipes,
     * and Osiris reads and writes the files. When the step is cancelled or a file fails there,
     * writing fails with EPIPE, and reading ends.
     *
     * Inputs: the driver closes the descriptor. It is seekable if the place has the file; do not
     * depend on it.
     *
     * Outputs: the descriptor belongs to the host. The driver writes to it and does not close it.
     * The output appears under its name, whole or not at all, when the whole group of steps has
     * succeeded. This applies to every kind of step. An output may be opened in `run` (or the
     * functions of the output stream) and in `commit`. Outputs are seekable if the
     * place has the files; do not depend on it.
     *
     * The path "-" is the standard output of the command, if the place can provide it. Only one
     * step of a run can use it. Nothing is taken back, and writing may wait for the reader: use
     * poll, and check for a cancel. */
    int (*open_input)(const struct osiris_host *, const char *path, int *fd);
    int (*open_output)(const struct osiris_host *, const char *path,
                       const struct osiris_output_options *options, int *fd);

    /* Since 1.1. Says that everything has been written to this output and that its descriptor is
     * not used any more. The host may then sync and close it. The output appears together with
     * the others. A driver with many outputs calls this for each of them. The remaining outputs
     * are finished when `run` and the output stream have succeeded. 0, or -1 with the error
     * reported. */
    int (*finish_output)(const struct osiris_host *, int fd);

    /* Since version 1.1. The verb that is called after `open`: "run", "check", "discover" or
     * "plan"; or "validate", which is called without `open`. */
    const char *verb;
    /* The answer of the verb: the text of a JSON object. The last call counts. Anything but an
     * object is an error of the driver. */
    void (*result)(const struct osiris_host *, const char *json);
};

#ifdef __cplusplus
}
#endif

#endif
