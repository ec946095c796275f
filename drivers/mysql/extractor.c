/*
 * mysql.extractor: a prepared statement's rows, unbuffered and in the binary protocol, straight into Arrow columns.
 * Everything runs on the step's thread but interrupt.
 */
#include <errno.h>
#include <stdlib.h>

#include "mysql-driver.h"

struct extractor {
    const struct osiris_host *host;
    struct mysql_session session;
    char *sql;
    int64_t batch_rows;
    MYSQL_STMT *statement;
    struct mysql_columns *columns;
    bool ended;
};

static int extractor_open(const struct osiris_host *host, void **state)
{
    struct extractor *extractor = calloc(1, sizeof *extractor);

    if (extractor == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    extractor->host = host;
    extractor->batch_rows = host->get_integer(host, OSIRIS_CONFIG, "batch_size", 10000);
    extractor->sql = mysql_make_statement(host);
    if (extractor->sql == NULL || mysql_session_init(&extractor->session, host) < 0) {
        free(extractor->sql);
        free(extractor);
        return -1;
    }
    *state = extractor;
    return 0;
}

static int statement_failed(struct extractor *extractor, const char *doing)
{
    MYSQL_STMT *statement = extractor->statement;

    /* The server has ended it, or is gone: then its number for the connection may be another's after a restart, and
     * must not be killed. Only a statement that was interrupted from here still runs. */
    if (!mysql_session_is_interrupted(&extractor->session))
        extractor->session.querying = false;
    return mysql_session_fail(&extractor->session, doing, mysql_stmt_errno(statement),
                              mysql_stmt_sqlstate(statement), mysql_stmt_error(statement));
}

/* The callback is libmariadb's way around binds: each column's bytes of the row that is being fetched. */
static int prepare(struct extractor *extractor)
{
    MYSQL_STMT *statement = mysql_stmt_init(extractor->session.mysql);

    if (statement == NULL)
        return osiris_fail(extractor->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                           "out of memory");
    extractor->statement = statement;
    if (mysql_stmt_prepare(statement, extractor->sql, strlen(extractor->sql)) != 0)
        return statement_failed(extractor, "prepare the query");
    if (mysql_stmt_field_count(statement) == 0)
        return osiris_fail(extractor->host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "an extractor needs a query with rows", "the query has no result");
    return 0;
}

static int execute(struct extractor *extractor)
{
    MYSQL_STMT *statement = extractor->statement;

    extractor->session.querying = true;
    if (mysql_stmt_execute(statement) != 0)
        return statement_failed(extractor, "run the query");
    extractor->columns =
        mysql_columns_new(extractor->host, &extractor->session.mysql->net,
                          mariadb_stmt_fetch_fields(statement),
                          mysql_stmt_field_count(statement), extractor->batch_rows);
    if (extractor->columns == NULL)
        return -1;
    if (mysql_stmt_attr_set(statement, STMT_ATTR_CB_USER_DATA, extractor->columns) != 0 ||
        mysql_stmt_attr_set(statement, STMT_ATTR_CB_RESULT, mysql_columns_append) != 0)
        return osiris_fail(extractor->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                           "libmariadb has no row callback; version 3.1 or newer is needed");
    return 0;
}

/* The stream. */

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct extractor *extractor = stream->private_data;

    return osiris_builder_schema(mysql_columns_builder(extractor->columns), out) < 0 ? ENOMEM : 0;
}

static void end_of_rows(struct extractor *extractor)
{
    int64_t bad_dates = mysql_columns_bad_dates(extractor->columns);

    extractor->ended = true;
    extractor->session.querying = false;
    if (bad_dates > 0)
        osiris_log(extractor->host, OSIRIS_WARNING,
                   "%lld dates do not exist (like 0000-00-00) and are NULL in the output",
                   (long long)bad_dates);
}

/* 1: a row; 0: no more; -1: reported. */
static int fetch_row(struct extractor *extractor)
{
    int result = mysql_stmt_fetch(extractor->statement);

    if (result == MYSQL_NO_DATA) {
        end_of_rows(extractor);
        return 0;
    }
    if (result != 0 && result != MYSQL_DATA_TRUNCATED)
        return statement_failed(extractor, "read the rows");
    return 1;
}

static int fill_batch(struct extractor *extractor)
{
    struct osiris_builder *builder = mysql_columns_builder(extractor->columns);
    int result;

    while (!osiris_builder_is_full(builder, MYSQL_BATCH_BYTES)) {
        result = fetch_row(extractor);
        if (result <= 0)
            return result;
        osiris_builder_end_row(builder);
    }
    return 0;
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct extractor *extractor = stream->private_data;
    struct osiris_builder *builder = mysql_columns_builder(extractor->columns);

    out->release = NULL;
    if (extractor->ended)
        return 0;
    if (fill_batch(extractor) < 0)
        return EIO;
    if (mysql_columns_error(extractor->columns) != NULL) {
        osiris_fail(extractor->host, OSIRIS_ERROR_DATA, 0, 0, NULL, NULL, "%s",
                    mysql_columns_error(extractor->columns));
        return EIO;
    }
    if (osiris_builder_rows(builder) == 0)
        return 0;
    if (osiris_builder_finish(builder, out) < 0) {
        osiris_fail(extractor->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
        return ENOMEM;
    }
    return 0;
}

/* What went wrong was reported through the host. */
static const char *stream_last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return NULL;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int extractor_run(void *state, const struct osiris_input *inputs, size_t input_count,
                         struct ArrowArrayStream *output)
{
    struct extractor *extractor = state;
    const struct osiris_host *host = extractor->host;

    (void)inputs;
    (void)input_count;
    if (host->get_boolean(host, OSIRIS_CONFIG, "echo", 0))
        osiris_log(host, OSIRIS_INFO, "%s", extractor->sql);
    if (mysql_session_connect(&extractor->session) < 0 || prepare(extractor) < 0 ||
        execute(extractor) < 0)
        return -1;
    *output = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                        .get_next = stream_get_next,
                                        .get_last_error = stream_last_error,
                                        .release = stream_release,
                                        .private_data = extractor};
    return 0;
}

static void extractor_interrupt(void *state)
{
    struct extractor *extractor = state;

    mysql_session_interrupt(&extractor->session);
}

static void extractor_close(void *state)
{
    struct extractor *extractor = state;

    /* A result that was not read to its end would be read to its end by the library first, however long it is: cut
     * the connection, and tell the server to stop. */
    if (extractor->session.querying)
        mysql_session_abandon(&extractor->session);
    if (extractor->statement != NULL)
        mysql_stmt_close(extractor->statement);
    mysql_columns_free(extractor->columns);
    mysql_session_clear(&extractor->session);
    free(extractor->sql);
    free(extractor);
    mysql_thread_end();
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
};
