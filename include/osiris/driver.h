/*
 * A driver implements one component that a pipeline step can name (mysql.extractor, csv.writer).
 *
 * The calls for one step come in this order, all on the step's own thread unless marked
 * otherwise:
 *
 *     open → run → (the host pulls the output stream to its end) → commit or abort → close
 *
 * `open` checks what the schema cannot express, and allocates the state. It must return at once:
 * connections are made in `run` or in the output stream, where `interrupt` can end a wait. After
 * a failed `open` nothing else is called. After any other failure, `abort` (if there is one) and
 * `close` follow. Several steps may use one driver at the same time, each with its own state: use
 * no mutable globals.
 *
 * The time of each call is limited. If a driver neither returns nor calls its host for some
 * minutes (`open` and `close`: seconds), it is considered hung. It is then interrupted, and
 * killed together with its process. docs/drivers.md lists the limits.
 *
 * Return values: 0, or -1 after host->error(). A verb during which an error is reported has
 * failed, whatever it returns. This includes errors that a host function such as open_output
 * reports itself. A verb that returns anything but 0 has failed, too. If it has reported nothing,
 * the driver is blamed, with OSIRIS_ERROR_INTERNAL. The same applies to get_schema, get_next and
 * release of the output stream. What abort and close report is a warning: they cannot fail.
 *
 * A driver may also be asked about its connection, without running anything (version 1.1):
 *
 *     open → check, discover or plan → close
 *
 * The host's `verb` says which one it will be. For check and discover, the config has been
 * checked except for oneOf, anyOf and the constraints of the spec, so `open` must not require
 * what only `run` needs. The verb passes its answer to host->result().
 *
 * A driver may also check a config long before a run, when the pipeline is compiled (version
 * 1.2): `validate` is then called alone.
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

/* One input of a step. `name` is its name in the pipeline ("df", "df_customers").
 *
 * The stream belongs to the host. Pull from it in `run` (or, in a processor, in the output's
 * get_next), and release the batches that it returns, on any thread. get_next waits for the
 * producer. It ends with ECANCELED when the step is cancelled or the producer has failed: return
 * -1 then, without a report. Only one thread at a time may pull from one input.
 *
 * The stream need not be released. Releasing it says that no more data is wanted. It may also be
 * moved, as Arrow libraries do that import a stream (arrow-rs, Arrow C++, nanoarrow): its bytes
 * are copied, and `release` of the original (or all of it) is set to NULL. The copy is the stream
 * from then on. It is read and released through its own address, in `close` at the latest, or not
 * at all. Reading a stream after its release, or after the run, is an error and not its end. The
 * array of inputs and the streams are valid until `close` has returned. */
struct osiris_input {
    const char *name;
    const char *step_id; /* the step that produces it */
    struct ArrowArrayStream *stream;
};

struct osiris_driver {
    uint32_t struct_size; /* sizeof(struct osiris_driver) */
    int32_t kind;         /* OSIRIS_EXTRACTOR, OSIRIS_PROCESSOR or OSIRIS_WRITER */
    const char *name;     /* "family.name" */
    const char *const *aliases; /* other names, NULL-terminated; or NULL */
    const char *version;        /* of the driver, e.g. "1.0.0" */

    /* The spec, the JSON text of an object: title, description, modes (extract, write, load,
     * transform, discover, analyze, stream), capabilities, configSchema (JSON Schema subset), secrets
     * (JSON pointers), x-connection-fields [{name, override}], x-output-files [{name, varied_by}],
     * x-connections, x-atomic, x-bounded-waits, constraints, examples, x-runtime. docs/drivers.md
     * describes them. */
    const char *spec;

    /* *state belongs to the driver. */
    int (*open)(const struct osiris_host *host, void **state);

    /* An extractor or processor fills in *output with a live stream and returns. The host then
     * pulls from it on this same thread and releases it. The schema is a struct ("+s") whose
     * children are the columns; each should have its own name. Aim at 1 to 4 MiB per batch.
     * Buffers are aligned like their values, and immutable once their batch has been handed over.
     *
     * A writer reads its inputs to their end and returns when everything is written. Its `output`
     * is NULL. A writer that returns 0 without having read a row of an input that has rows has
     * failed. One that stops in the middle causes a warning. A processor may stop early (a
     * limit). */
    int (*run)(void *state, const struct osiris_input *inputs, size_t input_count,
               struct ArrowArrayStream *output);

    /* Optional (NULL). Publish or undo what `run` did outside of the outputs that belong to the
     * host. The host calls exactly one of them: `commit` when the whole group of steps has
     * succeeded, `abort` when something failed. The outputs of the group are published when all
     * of its commits have succeeded. */
    int (*commit)(void *state);
    void (*abort)(void *state);

    /* Optional (NULL) [another thread, between a successful `open` and `close`]. Makes a `run`,
     * get_next or commit that waits in a library call return soon. It may be called more than
     * once, and when nothing runs. It returns at once and does not call the host. */
    void (*interrupt)(void *state);

    /* Frees the state. By then all of the group's output is published, or none of it. Threads of
     * the driver must end here, too: later calls that they make to the host are ignored. */
    void (*close)(void *state);

    /* Since version 1.1. Optional (NULL). In all other respects they are like `run`: they may
     * wait, and `interrupt` ends the wait. Each passes one JSON object to host->result() and
     * returns 0. Unknown members are ignored.
     *
     * check: is the connection usable?
     *     {"server": "MariaDB", "version": "10.11.6", "tls": cipher or null, "latency_ms": number,
     *      "privileges": [text], "checks": [{"name": text, "ok": boolean, "message": text}]}
     * A connection that cannot be made is an error of the verb. A check that is not ok is not an
     * error.
     *
     * discover: which tables are there? If the driver has an option `table`, it selects one of
     * them.
     *     {"databases": [{"name": text, "tables": [{"name": text, "kind": "table" or "view",
     *        "rows_estimate": integer or null, "columns": [{"name": text, "type": as the server says,
     *        "arrow": format or null, "nullable": boolean, "default": text or null}],
     *        "keys": [{"name": text, "unique": boolean, "columns": [text or null, if it is an expression],
     *        "ignored": true, if the server may not use it}], "error": text, if it cannot be read}],
     *      "truncated": boolean}]}
     * For a database without "tables", only the name was requested.
     *
     * plan: how is the extraction of this config split into the config's `partitions`?
     *     {"partition_on": text or null, "partitions": [{"config": {option: value}}]}
     * The options of one entry, merged over the config, run exactly that partition. Together the
     * partitions are the whole. */
    int (*check)(void *state);
    int (*discover)(void *state);
    int (*plan)(void *state);

    /* Since version 1.2. Optional (NULL). Reports what `open` would refuse in the config and the
     * spec cannot express. It is called when a pipeline is compiled, on the machine of the
     * orchestrator, in a process that has a few seconds, with a config that fits the spec. It
     * examines values and nothing else, and opens neither files nor connections. Every
     * host->error() counts here, not only the first one. An error that names its `option` is
     * shown at the position of the option. Secrets of the connection are masked: check them in
     * `open`. The function with which `open` reads its options is often all that is needed:
     *
     *     static int validate(const struct osiris_host *host)
     *     {
     *         struct options options;
     *
     *         return read_options(host, &options);
     *     } */
    int (*validate)(const struct osiris_host *host);
};

#ifdef __cplusplus
}
#endif

#endif
