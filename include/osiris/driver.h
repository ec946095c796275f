/*
 * A driver: one component that a pipeline step can name (mysql.extractor, csv.writer).
 *
 * Life of one step, all calls on the step's own thread unless marked otherwise:
 *
 *     open → run → (the host pulls the output stream to its end) → commit or abort → close
 *
 * `open` checks what the schema cannot and allocates; it must return at once: connections are made
 * in `run` or in the stream, where `interrupt` can end a wait. After a failed `open` nothing else is
 * called. After anything else fails, `abort` (if there is one) and `close` follow. Several steps may
 * use one driver at the same time, each with a state of its own: keep no mutable globals.
 *
 * Each call is bounded: beyond some minutes (open and close: seconds) in which the driver neither returns nor calls its host it is
 * taken for hung, interrupted, and killed with its process; docs/drivers.md has the bounds.
 *
 * Return values: 0, or -1 after host->error(). A verb during which an error is reported has failed, whatever it returns (an error of
 * a host function's own, of open_output say, is one that is reported); one that returns anything but 0 has failed, and without a
 * report it is blamed on the driver as OSIRIS_ERROR_INTERNAL. The same holds for the output stream's get_schema, get_next and
 * release. What abort and close report is a warning: they cannot fail.
 *
 * A driver may also be asked about its connection, with nothing run (version 1.1):
 *
 *     open → check, discover or plan → close
 *
 * The host says in its `verb` which it will be. For check and discover the config has been checked but for what oneOf, anyOf
 * and constraints of the spec demand, so `open` must not demand what only `run` needs. The verb gives its answer with host->result().
 *
 * And it may look at a config long before a run, when the pipeline is compiled (version 1.2): `validate`, alone.
 */
#ifndef OSIRIS_DRIVER_H
#define OSIRIS_DRIVER_H

#include <osiris/arrow.h>
#include <osiris/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    OSIRIS_EXTRACTOR = 1, /* no inputs, one output */
    OSIRIS_PROCESSOR = 2, /* inputs and one output */
    OSIRIS_WRITER = 3,    /* inputs, no output */
};

/* One input of a step. `name` is how the pipeline calls it ("df", "df_customers"). The stream belongs
 * to the host: pull from it in `run` (or, in a processor, in the output's get_next); release the
 * batches it gives, on any thread. get_next waits for the producer; it
 * ends with ECANCELED when the step is cancelled or the producer failed: return -1 then, without a
 * report. Only one thread at a time may pull from one input.
 *
 * The stream need not be released. It may be, which says that no more is wanted; and it may be moved, as Arrow libraries do that
 * import one (arrow-rs, Arrow C++, nanoarrow): its bytes are copied, `release` of the original (or all of it) is set to NULL, and
 * the copy is the stream from then on, read and released through its own address, in `close` at the latest, or not at all. To read
 * it when it was released, or behind the run, is an error, not its end. The array of inputs, and the streams, stay until `close` has
 * returned. */
struct osiris_input {
    const char *name;
    const char *step_id; /* the producing step */
    struct ArrowArrayStream *stream;
};

struct osiris_driver {
    uint32_t struct_size; /* sizeof(struct osiris_driver) */
    int32_t kind;         /* OSIRIS_EXTRACTOR, OSIRIS_PROCESSOR or OSIRIS_WRITER */
    const char *name;     /* "family.what" */
    const char *const *aliases; /* NULL-terminated other names, or NULL */
    const char *version;        /* of the driver, e.g. "1.0.0" */

    /* The spec, JSON text of an object: title, description, modes (extract, write, transform,
     * discover), capabilities, configSchema (JSON Schema subset, docs/drivers.md), secrets (JSON
     * pointers), x-connection-fields [{name, override}], x-output-files [{name, varied_by}],
     * constraints, examples, x-runtime. */
    const char *spec;

    /* *state is the driver's own. */
    int (*open)(const struct osiris_host *host, void **state);

    /* An extractor or processor fills *output with a live stream and returns; the host then pulls it on
     * this same thread and releases it. A writer drains its inputs and returns when all is
     * written; its `output` is NULL. A writer that returns 0 without having read a row of an input that has
     * some has failed; one that stops in the middle is told of by a warning. A processor may stop (a limit).
     * The schema is a struct ("+s") whose children are the
     * columns; each should have a name of its own. Aim at 1 to 4 MiB a batch. Buffers are aligned as their values are, and immutable once a batch has been given. */
    int (*run)(void *state, const struct osiris_input *inputs, size_t input_count,
               struct ArrowArrayStream *output);

    /* Optional (NULL): publish, or take back, what `run` did outside host-owned outputs. The host calls
     * exactly one of them, when the whole group of steps has succeeded or something failed. Outputs of the group are
     * published when all of its commits have succeeded. */
    int (*commit)(void *state);
    void (*abort)(void *state);

    /* Optional (NULL) [another thread, between a successful `open` and `close`]: make a `run`, get_next or commit
     * that sits in a library call return soon. It may come more than once, and when nothing runs.
     * It returns at once and does not call the host. */
    void (*interrupt)(void *state);

    /* Frees the state. All of the group's output is published by then, or none of it. Threads of the driver end here, too: what one
     * says to the host afterwards is not heard. */
    void (*close)(void *state);

    /* Since version 1.1. Optional (NULL), like `run` in all else: they may wait, and `interrupt` ends the wait. Each
     * gives one JSON object to host->result() and returns 0; unknown members are ignored.
     *
     * check: is the connection usable?
     *     {"server": "MariaDB", "version": "10.11.6", "tls": cipher or null, "latency_ms": number,
     *      "privileges": [text], "checks": [{"name": text, "ok": boolean, "message": text}]}
     * A connection that cannot be made is an error of the verb; a check that is not ok is none.
     *
     * discover: what is there? `table` of the config, if the driver has such an option, narrows it to one.
     *     {"databases": [{"name": text, "tables": [{"name": text, "kind": "table" or "view",
     *        "rows_estimate": integer or null, "columns": [{"name": text, "type": as the server says,
     *        "arrow": format or null, "nullable": boolean, "default": text or null}],
     *        "keys": [{"name": text, "unique": boolean, "columns": [text or null, if it is an expression],
     *        "ignored": true, if the server may not use it}], "error": text, if it cannot be read}],
     *      "truncated": boolean}]}
     * Of a database without "tables" no more than its name was asked for.
     *
     * plan: how is the extraction that the config names split into the config's `partitions`?
     *     {"partition_on": text or null, "partitions": [{"config": {option: value}}]}
     * The options of one entry, laid over the config, run just that partition; together they are the whole. */
    int (*check)(void *state);
    int (*discover)(void *state);
    int (*plan)(void *state);

    /* Since version 1.2. Optional (NULL): what of the config would `open` refuse that the spec cannot say? It is called when
     * a pipeline is compiled, on the orchestrator's machine, in a process that has a few seconds, with a config that fits the spec:
     * it looks at values and nothing else, and opens neither files nor connections. Every host->error() counts here, not
     * only the first; one that names its `option` is shown at the option's place. Secrets of the connection are
     * masked: look at them in `open`. The function that `open` reads its options with is often all that is needed:
     *
     *     static int validate(const struct osiris_host *host) { struct options o; return read_options(host, &o); } */
    int (*validate)(const struct osiris_host *host);
};

#ifdef __cplusplus
}
#endif

#endif
