/* From a statement to batches; see reader.h. */
#include "reader.h"

#include <stdlib.h>

int mysql_reader_init(struct mysql_reader *reader, const struct osiris_host *host)
{
    *reader = (struct mysql_reader){.host = host};
    reader->batch_rows = host->get_integer(host, OSIRIS_CONFIG, "batch_size", 10000);
    return mysql_session_init(&reader->session, host);
}

static void close_statement(struct mysql_reader *reader)
{
    /* A result that was not read to its end would be read to its end by the library first, however long it is: cut
     * the connection, and tell the server to stop. */
    if (reader->session.querying)
        mysql_session_abandon(&reader->session);
    if (reader->statement != NULL)
        mysql_stmt_close(reader->statement);
    reader->statement = NULL;
    mysql_columns_free(reader->columns);
    reader->columns = NULL;
}

void mysql_reader_clear(struct mysql_reader *reader)
{
    close_statement(reader);
    mysql_session_clear(&reader->session);
    free(reader->sql);
}

static int out_of_memory(const struct mysql_reader *reader)
{
    return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

static int statement_failed(struct mysql_reader *reader, const char *doing)
{
    /* The server has ended it, or is gone: then its number for the connection may be another's after a restart, and
     * must not be killed. Only a statement that was interrupted from here still runs. */
    if (!mysql_session_is_interrupted(&reader->session))
        reader->session.querying = false;
    return mysql_session_fail_statement(&reader->session, doing, reader->statement);
}

int mysql_reader_connect(struct mysql_reader *reader)
{
    return mysql_session_connect(&reader->session);
}

static int prepare(struct mysql_reader *reader)
{
    MYSQL_STMT *statement = mysql_stmt_init(reader->session.mysql);

    if (statement == NULL)
        return out_of_memory(reader);
    reader->statement = statement;
    if (mysql_stmt_prepare(statement, reader->sql, strlen(reader->sql)) != 0)
        return statement_failed(reader, "prepare the query");
    if (mysql_stmt_field_count(statement) == 0)
        return osiris_fail(reader->host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "an extractor needs a query with rows", "the query has no result");
    return 0;
}

/* The callback is libmariadb's way around binds: each column's bytes of the row that is being fetched. */
static int take_rows_as_columns(struct mysql_reader *reader)
{
    MYSQL_STMT *statement = reader->statement;

    reader->columns = mysql_columns_new(reader->host, &reader->session.mysql->net,
                                        mariadb_stmt_fetch_fields(statement),
                                        mysql_stmt_field_count(statement), reader->batch_rows);
    if (reader->columns == NULL)
        return -1;
    if (mysql_stmt_attr_set(statement, STMT_ATTR_CB_USER_DATA, reader->columns) != 0 ||
        mysql_stmt_attr_set(statement, STMT_ATTR_CB_RESULT, mysql_columns_append) != 0)
        return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                           "libmariadb has no row callback; version 3.1 or newer is needed");
    return 0;
}

int mysql_reader_execute(struct mysql_reader *reader)
{
    free(reader->sql);
    reader->sql = mysql_make_statement(reader->host, &reader->part);
    if (reader->sql == NULL)
        return -1;
    if (reader->host->get_boolean(reader->host, OSIRIS_CONFIG, "echo", 0))
        osiris_log(reader->host, OSIRIS_INFO, "%s", reader->sql);
    if (prepare(reader) < 0)
        return -1;
    reader->session.querying = true;
    if (mysql_stmt_execute(reader->statement) != 0)
        return statement_failed(reader, "run the query");
    return take_rows_as_columns(reader);
}

int mysql_reader_schema(const struct mysql_reader *reader, struct ArrowSchema *out)
{
    return osiris_builder_schema(mysql_columns_builder(reader->columns), out);
}

/* Rows. */

static void end_of_rows(struct mysql_reader *reader)
{
    int64_t bad_dates = mysql_columns_bad_dates(reader->columns);

    reader->ended = true;
    reader->session.querying = false;
    if (bad_dates > 0)
        osiris_log(reader->host, OSIRIS_WARNING,
                   "%lld dates do not exist (like 0000-00-00) and are NULL in the output",
                   (long long)bad_dates);
}

/* 1: a row; 0: no more; -1: reported. */
static int fetch_row(struct mysql_reader *reader)
{
    int result = mysql_stmt_fetch(reader->statement);

    if (result == MYSQL_NO_DATA) {
        end_of_rows(reader);
        return 0;
    }
    if (result != 0 && result != MYSQL_DATA_TRUNCATED)
        return statement_failed(reader, "read the rows");
    return 1;
}

static int fill_batch(struct mysql_reader *reader)
{
    struct osiris_builder *builder = mysql_columns_builder(reader->columns);
    int result;

    while (!osiris_builder_is_full(builder, MYSQL_BATCH_BYTES)) {
        result = fetch_row(reader);
        if (result <= 0)
            return result;
        osiris_builder_end_row(builder);
    }
    return 0;
}

int mysql_reader_next(struct mysql_reader *reader, struct ArrowArray *out)
{
    struct osiris_builder *builder = mysql_columns_builder(reader->columns);

    out->release = NULL;
    if (reader->ended)
        return 0;
    if (fill_batch(reader) < 0)
        return -1;
    if (mysql_columns_error(reader->columns) != NULL)
        return osiris_fail(reader->host, OSIRIS_ERROR_DATA, 0, 0, NULL, NULL, "%s",
                           mysql_columns_error(reader->columns));
    if (osiris_builder_rows(builder) == 0)
        return 0;
    return mysql_columns_finish(reader->columns, out) < 0 ? out_of_memory(reader) : 0;
}

void mysql_reader_interrupt(struct mysql_reader *reader)
{
    mysql_session_interrupt(&reader->session);
}
