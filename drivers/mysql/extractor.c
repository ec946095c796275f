/*
 * mysql.extractor: what its readers read is the step's output. A single reader runs on the step's thread; several, each
 * with a range of the table, run on their own threads (merge.h).
 */
#include <errno.h>
#include <stdlib.h>

#include "merge.h"
#include "partition.h"
#include "snapshot.h"
#include "verbs.h"

struct extractor {
    const struct osiris_host *host;
    struct mysql_reader readers[MYSQL_PARTITIONS];
    size_t reader_count; /* maximum */
    struct mysql_session coordinator; /* for a snapshot of several connections */
    struct mysql_resume resume;
    struct mysql_partitions partitions;
    bool consistent;
    pthread_mutex_t lock; /* guards merge */
    struct mysql_merge *merge; /* NULL: only the first reader */
};

/* Closing. */

static void clear(struct extractor *extractor)
{
    pthread_mutex_lock(&extractor->lock);
    struct mysql_merge *merge = extractor->merge;
    extractor->merge = NULL;
    pthread_mutex_unlock(&extractor->lock);
    if (merge != NULL)
        mysql_merge_free(merge);
    for (size_t i = 0; i < extractor->reader_count; i++)
        mysql_reader_clear(&extractor->readers[i]);
    if (extractor->coordinator.host != NULL)
        mysql_session_clear(&extractor->coordinator);
    mysql_resume_clear(&extractor->resume);
    mysql_partitions_clear(&extractor->partitions);
    pthread_mutex_destroy(&extractor->lock);
    free(extractor);
}

static void extractor_close(void *state)
{
    clear(state);
    mysql_thread_end();
}

/* Opening. */

static int init_connections(struct extractor *extractor, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (mysql_reader_init(&extractor->readers[i], extractor->host) < 0)
            return -1;
        extractor->reader_count++;
    }
    if (!extractor->consistent || mysql_session_init(&extractor->coordinator, extractor->host) == 0)
        return 0;
    extractor->coordinator.host = NULL;
    return -1;
}

/* The verbs check and discover need only the connection. */
static int check_options(const struct osiris_host *host)
{
    const char *verb = mysql_verb(host);

    if (strcmp(verb, "check") == 0 || strcmp(verb, "discover") == 0)
        return 0;
    if (mysql_check_statement(host) < 0 || mysql_resume_check(host) < 0 ||
        mysql_partitions_check(host) < 0)
        return -1;
    if (host->get_boolean(host, OSIRIS_CONFIG, "consistent", 0) &&
        host->get_string(host, OSIRIS_CONFIG, "table", NULL) == NULL)
        return osiris_refuse(
            host, "consistent", "omit it, or use table",
            "\"consistent\" requires \"table\": a query is one statement, which is "
            "consistent by itself");
    return 0;
}

/* The parts of the connection that are not secret: whether there is a user, and how it encrypts. */
static int extractor_validate(const struct osiris_host *host)
{
    struct mysql_target target;

    return mysql_target_init(&target, host) < 0 || check_options(host) < 0 ? -1 : 0;
}

static int extractor_open(const struct osiris_host *host, void **state)
{
    struct extractor *extractor;
    int64_t count = host->get_integer(host, OSIRIS_CONFIG, "partitions", 1);

    if (check_options(host) < 0)
        return -1;
    extractor = calloc(1, sizeof *extractor);
    if (extractor == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    extractor->host = host;
    extractor->consistent = host->get_boolean(host, OSIRIS_CONFIG, "consistent", 0) != 0;
    pthread_mutex_init(&extractor->lock, NULL);
    if (init_connections(extractor, count < 1                  ? 1
                                    : count > MYSQL_PARTITIONS ? MYSQL_PARTITIONS
                                                               : (size_t)count) < 0) {
        clear(extractor);
        return -1;
    }
    *state = extractor;
    return 0;
}

/* The stream. */

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct extractor *extractor = stream->private_data;

    if (extractor->merge != NULL)
        return mysql_merge_schema(extractor->merge, out) < 0 ? EIO : 0;
    return mysql_reader_schema(&extractor->readers[0], out) < 0 ? ENOMEM : 0;
}

/* All readers and their threads have finished. */
static void report_warnings(struct extractor *extractor)
{
    struct mysql_warnings all = {0};

    for (size_t i = 0; i < extractor->reader_count; i++)
        mysql_warnings_move(&all, &extractor->readers[i].warnings);
    mysql_warnings_report(&all, extractor->host);
    mysql_warnings_clear(&all);
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct extractor *extractor = stream->private_data;
    int result = extractor->merge != NULL ? mysql_merge_next(extractor->merge, out)
                                          : mysql_reader_next(&extractor->readers[0], out);

    if (result < 0)
        return EIO;
    if (out->release == NULL)
        report_warnings(extractor);
    return 0;
}

/* The error was reported through the host. */
static const char *stream_last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

/* Running. */

/* The first connection finds out how the table is split and resumed; again from the beginning if it is re-established. */

static int ask(void *owner)
{
    struct extractor *extractor = owner;
    struct mysql_reader *first = &extractor->readers[0];
    struct mysql_partitions *partitions = &extractor->partitions;

    mysql_partitions_clear(partitions);
    mysql_resume_clear(&extractor->resume);
    if (mysql_check_where(&first->session) < 0)
        return -1;
    partitions->count = 1;
    if (extractor->reader_count > 1 &&
        mysql_partitions_find(first->host, &first->session, extractor->reader_count, partitions) < 0)
        return -1;
    first->range = partitions->conditions[0];
    return mysql_reader_find_key(first, &extractor->resume);
}

static int plan(struct extractor *extractor)
{
    const struct mysql_work work = {.run = ask, .owner = extractor};

    return mysql_reader_begin(&extractor->readers[0], &work);
}

static int connect_others(struct extractor *extractor)
{
    for (size_t i = 1; i < extractor->partitions.count; i++) {
        struct mysql_reader *reader = &extractor->readers[i];
        reader->range = extractor->partitions.conditions[i];
        reader->resume = extractor->readers[0].resume;
        if (mysql_reader_join(reader) < 0)
            return -1;
    }
    return 0;
}

static int begin_snapshot(struct extractor *extractor)
{
    if (!extractor->consistent)
        return 0;
    if (mysql_session_connect(&extractor->coordinator) < 0 ||
        mysql_snapshot_begin(&extractor->coordinator, extractor->readers,
                             extractor->partitions.count) < 0)
        return -1;
    mysql_session_disconnect(&extractor->coordinator);
    return 0;
}

static int start_merge(struct extractor *extractor)
{
    struct mysql_merge *merge =
        mysql_merge_new(extractor->host, extractor->readers, extractor->partitions.count,
                        extractor->partitions.row_bytes);

    pthread_mutex_lock(&extractor->lock);
    extractor->merge = merge;
    pthread_mutex_unlock(&extractor->lock);
    return merge == NULL ? -1 : 0;
}

static int extractor_run(void *state, const struct osiris_input *inputs, size_t input_count,
                         struct ArrowArrayStream *output)
{
    struct extractor *extractor = state;

    (void)inputs;
    (void)input_count;
    if (plan(extractor) < 0 || connect_others(extractor) < 0 || begin_snapshot(extractor) < 0)
        return -1;
    if ((extractor->partitions.count > 1 ? start_merge(extractor)
                                         : mysql_reader_execute(&extractor->readers[0])) < 0)
        return -1;
    *output = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                        .get_next = stream_get_next,
                                        .get_last_error = stream_last_error,
                                        .release = stream_release,
                                        .private_data = extractor};
    return 0;
}

static int extractor_check(void *state)
{
    struct extractor *extractor = state;

    return mysql_check(extractor->host, &extractor->readers[0].session);
}

static int extractor_discover(void *state)
{
    struct extractor *extractor = state;
    struct mysql_reader *reader = &extractor->readers[0];

    return mysql_discover(extractor->host, &reader->session, &reader->reports);
}

static int extractor_plan(void *state)
{
    struct extractor *extractor = state;

    return plan(extractor) < 0 ? -1 : mysql_answer_plan(extractor->host, &extractor->partitions);
}

static void extractor_interrupt(void *state)
{
    struct extractor *extractor = state;

    for (size_t i = 0; i < extractor->reader_count; i++)
        mysql_reader_interrupt(&extractor->readers[i]);
    if (extractor->consistent)
        mysql_session_interrupt(&extractor->coordinator);
    pthread_mutex_lock(&extractor->lock);
    if (extractor->merge != NULL)
        mysql_merge_stop(extractor->merge);
    pthread_mutex_unlock(&extractor->lock);
}

const struct osiris_driver mysql_extractor = {
    .struct_size = sizeof(struct osiris_driver),
    .kind = OSIRIS_EXTRACTOR,
    .name = "mysql.extractor",
    .version = "1.0.0",
    .spec = mysql_extractor_spec,
    .open = extractor_open,
    .run = extractor_run,
    .interrupt = extractor_interrupt,
    .close = extractor_close,
    .check = extractor_check,
    .discover = extractor_discover,
    .plan = extractor_plan,
    .validate = extractor_validate,
};
