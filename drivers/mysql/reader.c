/* From a statement to batches; see reader.h. */
#include "reader.h"

#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "narrow.h"

#define FIRST_WAIT_MS 100
#define LONGEST_WAIT_MS 10000

int mysql_reader_init(struct mysql_reader *reader, const struct osiris_host *host)
{
    *reader = (struct mysql_reader){
        .batch_rows = host->get_integer(host, OSIRIS_CONFIG, "batch_size", 10000),
        .limit = host->get_integer(host, OSIRIS_CONFIG, "limit", 0),
        .batch_bytes_most = MYSQL_BATCH_BYTES,
    };
    mysql_reports_init(&reader->reports, host);
    reader->host = &reader->reports.host;
    return mysql_session_init(&reader->session, reader->host);
}

static void close_statement(struct mysql_reader *reader)
{
    if (reader->columns != NULL)
        reader->bad_dates += mysql_columns_bad_dates(reader->columns);
    if (reader->statement != NULL)
        mysql_stmt_close(reader->statement);
    reader->statement = NULL;
    mysql_columns_free(reader->columns);
    reader->columns = NULL;
}

void mysql_reader_clear(struct mysql_reader *reader)
{
    /* The library would first read an unfinished result to its end, however long it is: cut
     * the connection and make the server stop. */
    if (reader->session.querying)
        mysql_session_abandon(&reader->session);
    close_statement(reader);
    mysql_session_clear(&reader->session);
    mysql_reports_clear(&reader->reports);
    mysql_warnings_clear(&reader->warnings);
    if (reader->schema.release != NULL)
        reader->schema.release(&reader->schema);
    free(reader->sql);
    free(reader->after);
}

static int out_of_memory(const struct mysql_reader *reader)
{
    return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

static int statement_failed(struct mysql_reader *reader, const char *doing)
{
    /* The server has ended it, or has gone. After a restart its id may belong to another connection, which
     * must not be killed. Only a statement that was interrupted from here is still running. */
    if (!mysql_session_is_interrupted(&reader->session))
        reader->session.querying = false;
    return mysql_session_fail_statement(&reader->session, doing, reader->statement);
}

int mysql_reader_find_key(struct mysql_reader *reader, struct mysql_resume *resume)
{
    const struct mysql_part part = {.condition = reader->range};

    int result = mysql_resume_find(reader->host, &reader->session, &part, resume);
    reader->resume = resume->key.count > 0 ? resume : NULL;
    if (mysql_is_lost_connection(&reader->reports.held))
        return -1;
    if (mysql_resume_is_wanted(reader->host))
        return result;
    /* Without on_disconnect: resume, a missing key is not an error. */
    mysql_reports_hold(&reader->reports);
    return 0;
}

/* The statement. */

/* The rows of its range after the last one delivered. NULL: out of memory, or (*all) no condition. */
static char *make_condition(const struct mysql_reader *reader, bool *all)
{
    struct sql sql = {0};

    *all = reader->range == NULL && reader->after == NULL;
    if (reader->range != NULL) {
        sql_add(&sql, "(");
        sql_add(&sql, reader->range);
        sql_add(&sql, reader->after != NULL ? ") AND " : ")");
    }
    if (reader->after != NULL)
        sql_add(&sql, reader->after);
    return sql_take(&sql);
}

static char *make_statement(const struct mysql_reader *reader)
{
    bool all;
    char *condition = make_condition(reader, &all), *statement = NULL;
    const struct mysql_part part = {
        .condition = condition,
        .order = reader->resume == NULL ? NULL : reader->resume->order,
        .more_columns = reader->resume == NULL ? NULL : reader->resume->more_columns,
        .taken = reader->delivered,
    };

    if (condition == NULL && !all)
        out_of_memory(reader);
    else
        statement = mysql_make_statement(reader->host, &part);
    free(condition);
    return statement;
}

static int prepare(struct mysql_reader *reader)
{
    MYSQL_STMT *statement = mysql_stmt_init(reader->session.mysql);
    size_t length = 0;
    char *text = mysql_lengthen(reader->session.mysql, reader->sql, &length);

    reader->statement = statement;
    if (statement == NULL || text == NULL) {
        free(text);
        return out_of_memory(reader);
    }
    int status = mysql_stmt_prepare(statement, text, length);
    free(text);
    if (status != 0)
        return statement_failed(reader, "prepare the query");
    if (mysql_stmt_field_count(statement) == 0)
        return osiris_fail(reader->host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "use a query that returns rows; CALL a procedure in init_sql, and select from the "
                           "temporary table that it fills",
                           "the query has no result, or none that is known before it runs");
    return 0;
}

static bool has_giant_column(const MYSQL_FIELD *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fields[i].length >= MYSQL_GIANT_BYTES)
            return true;
    return false;
}

/* libmariadb's alternative to binds: the callback gets each column's bytes of the row that is being fetched. */
static int take_rows_as_columns(struct mysql_reader *reader)
{
    MYSQL_STMT *statement = reader->statement;
    const MYSQL_FIELD *fields = mariadb_stmt_fetch_fields(statement);
    unsigned count = mysql_stmt_field_count(statement);

    reader->may_be_giant = has_giant_column(fields, count);
    reader->columns = mysql_columns_new(reader->host, &reader->session.mysql->net, fields, count, reader->batch_rows,
                                        reader->batch_bytes_most);
    if (reader->columns == NULL)
        return -1;
    mysql_columns_set_room(reader->columns, reader->room);
    if (mysql_stmt_attr_set(statement, STMT_ATTR_CB_USER_DATA, reader->columns) != 0 ||
        mysql_stmt_attr_set(statement, STMT_ATTR_CB_RESULT, mysql_columns_append) != 0)
        return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                           "libmariadb has no row callback; install version 3.1 or newer");
    return 0;
}

static bool is_same_schema(const struct ArrowSchema *schema, const struct ArrowSchema *other)
{
    if (schema->n_children != other->n_children)
        return false;
    for (int64_t i = 0; i < schema->n_children; i++)
        if (strcmp(schema->children[i]->format, other->children[i]->format) != 0 ||
            strcmp(schema->children[i]->name, other->children[i]->name) != 0)
            return false;
    return true;
}

/* The statement after a lost connection must have the same columns as the one before it. */
static int take_schema(struct mysql_reader *reader)
{
    struct ArrowSchema schema;

    if (osiris_builder_schema(mysql_columns_builder(reader->columns), &schema) < 0)
        return out_of_memory(reader);
    if (reader->schema.release == NULL) {
        reader->schema = schema;
        return 0;
    }
    bool same = is_same_schema(&schema, &reader->schema);
    schema.release(&schema);
    if (same)
        return 0;
    return osiris_fail(reader->host, OSIRIS_ERROR_DATA, 0, 0, NULL, "run the pipeline again",
                       "the table was altered while it was read");
}

static int execute(struct mysql_reader *reader)
{
    free(reader->sql);
    reader->sql = make_statement(reader);
    if (reader->sql == NULL)
        return -1;
    if (reader->host->get_boolean(reader->host, OSIRIS_CONFIG, "echo", 0))
        osiris_log(reader->host, OSIRIS_INFO, "%s", reader->sql);
    if (prepare(reader) < 0)
        return -1;
    reader->session.querying = true;
    if (mysql_stmt_execute(reader->statement) != 0)
        return statement_failed(reader, "run the query");
    return take_rows_as_columns(reader) < 0 ? -1 : take_schema(reader);
}

int mysql_reader_schema(const struct mysql_reader *reader, struct ArrowSchema *out)
{
    if (osiris_builder_schema(mysql_columns_builder(reader->columns), out) < 0)
        return -1;
    return mysql_narrow_schema(out, reader->resume == NULL ? 0 : reader->resume->hidden);
}

/* Resuming after a lost connection. */

static void disconnect(struct mysql_reader *reader)
{
    close_statement(reader);
    mysql_session_disconnect(&reader->session);
}

static bool has_lost_connection(struct mysql_reader *reader)
{
    return mysql_is_lost_connection(&reader->reports.held) &&
           !mysql_session_is_interrupted(&reader->session);
}

/* Whether the held error is the loss of a connection after which the read can resume. */
static bool is_lost(struct mysql_reader *reader)
{
    return reader->resume != NULL && has_lost_connection(reader);
}

/* Whether the remaining rows can be requested. */
static bool has_place(const struct mysql_reader *reader)
{
    return reader->after != NULL || reader->delivered == 0;
}

/* Twice as long each time; -1: interrupted. */
static int wait_before_attempt(struct mysql_reader *reader)
{
    unsigned doublings = reader->failures > 8 ? 7 : reader->failures - 1;
    int wait_ms = FIRST_WAIT_MS << doublings;

    return mysql_session_wait(&reader->session, wait_ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : wait_ms);
}

/* Fails with the held error, prefixed with what happened before. */
static int fail_held(struct mysql_reader *reader, const char *before)
{
    const struct osiris_error_report *held = &reader->reports.held;

    mysql_reports_keep(&reader->reports);
    osiris_fail(reader->host, held->category, held->retryable, held->native_code,
                held->native_state, held->hint, "%s: %s", before,
                held->message == NULL ? "out of memory" : held->message);
    mysql_reports_drop(&reader->reports);
    return -1;
}

static int fail_lost(struct mysql_reader *reader, const char *why)
{
    char before[160];

    snprintf(before, sizeof before, "the connection was lost after %lld row%s, and %s",
             (long long)reader->delivered, reader->delivered == 1 ? "" : "s", why);
    return fail_held(reader, before);
}

static int fail_for_good(struct mysql_reader *reader, int64_t attempts)
{
    char why[64];

    if (reader->session.thread_id == 0) {
        snprintf(why, sizeof why, "%lld attempt%s to reconnect failed", (long long)attempts, attempts == 1 ? "" : "s");
        return fail_held(reader, why);
    }
    snprintf(why, sizeof why, "%lld attempt%s to resume failed", (long long)attempts, attempts == 1 ? "" : "s");
    return fail_lost(reader, why);
}

/* TLS reports a server that goes away during the handshake like one that never supported it, but this server did. */
static bool may_succeed_later(const struct osiris_error_report *error)
{
    return error->retryable != 0 || error->native_code == CR_SSL_CONNECTION_ERROR;
}

/* One attempt to connect and do the work: 0; 1: it failed, but another may succeed; -1: reported. The error
 * remains held. */
static int attempt(struct mysql_reader *reader, const struct mysql_work *work)
{
    mysql_reports_hold(&reader->reports);
    if (mysql_session_connect(&reader->session) == 0 && (work->run == NULL || work->run(work->owner) == 0)) {
        mysql_reports_drop(&reader->reports);
        return 0;
    }
    if (!may_succeed_later(&reader->reports.held) || mysql_session_is_interrupted(&reader->session))
        return mysql_reports_pass(&reader->reports);
    disconnect(reader);
    return 1;
}

static int try_again(struct mysql_reader *reader, const struct mysql_work *work)
{
    int64_t attempts = reader->host->get_integer(reader->host, OSIRIS_CONFIG, "reconnect_attempts",
                                                 MYSQL_RECONNECT_ATTEMPTS);
    int result = 1;

    while (result > 0) {
        if (reader->failures++ >= attempts)
            return fail_for_good(reader, attempts);
        if (wait_before_attempt(reader) < 0) {
            mysql_reports_drop(&reader->reports);
            return osiris_fail(reader->host, OSIRIS_ERROR_CANCELLED, 0, 0, NULL, NULL,
                               "interrupted");
        }
        result = attempt(reader, work);
    }
    return result;
}

static int execute_of(void *reader)
{
    return execute(reader);
}

static int go_on(struct mysql_reader *reader)
{
    const struct mysql_work work = {.run = execute_of, .owner = reader};
    int result = try_again(reader, &work);

    reader->lost = result < 0;
    return result;
}

/* The held error is kept: it is the reason if no attempt is allowed. */

static const char *reason_of(const struct mysql_reader *reader)
{
    return reader->reports.held.message != NULL ? reader->reports.held.message : "the connection was lost";
}

static void note_loss(struct mysql_reader *reader)
{
    const char *reason = reason_of(reader);

    if (reader->delivered == 0)
        osiris_log(reader->host, OSIRIS_WARNING, "%s; no row had arrived, starting again", reason);
    else
        osiris_log(reader->host, OSIRIS_WARNING,
                   "%s; resuming after %lld row%s (the server's warnings about earlier rows are lost)", reason,
                   (long long)reader->delivered, reader->delivered == 1 ? "" : "s");
    disconnect(reader);
    reader->lost = true;
}

/* A server that was silent for read_timeout would only do the same again. */
static bool was_silent_since(const struct mysql_reader *reader, int64_t begun_ms)
{
    return mysql_now_ms() - begun_ms >= (int64_t)reader->session.target.read_timeout_s * 1000;
}

/* Before anything is read, no key is needed to start again. */
static int begin_again(struct mysql_reader *reader, const struct mysql_work *work)
{
    osiris_log(reader->host, OSIRIS_WARNING, "%s; starting again", reason_of(reader));
    disconnect(reader);
    return try_again(reader, work);
}

int mysql_reader_begin(struct mysql_reader *reader, const struct mysql_work *work)
{
    const int64_t begun_ms = mysql_now_ms();

    if (mysql_session_connect(&reader->session) < 0)
        return -1;
    mysql_reports_hold(&reader->reports);
    if (work->run(work->owner) == 0) {
        mysql_reports_drop(&reader->reports);
        return 0;
    }
    if (mysql_resume_is_unwanted(reader->host) || !has_lost_connection(reader) || was_silent_since(reader, begun_ms))
        return mysql_reports_pass(&reader->reports);
    return begin_again(reader, work);
}

/* A server may limit resources such as connections on purpose. */
static bool may_connect_again(struct mysql_reader *reader)
{
    const struct osiris_error_report *held = &reader->reports.held;

    if (mysql_resume_is_unwanted(reader->host) || mysql_session_is_interrupted(&reader->session))
        return false;
    return held->retryable &&
           (held->category == OSIRIS_ERROR_CONNECTION || mysql_resume_is_wanted(reader->host));
}

int mysql_reader_join(struct mysql_reader *reader)
{
    const struct mysql_work nothing = {0};

    mysql_reports_hold(&reader->reports);
    if (mysql_session_connect(&reader->session) == 0) {
        mysql_reports_drop(&reader->reports);
        return 0;
    }
    return may_connect_again(reader) ? begin_again(reader, &nothing) : mysql_reports_pass(&reader->reports);
}

int mysql_reader_execute(struct mysql_reader *reader)
{
    const int64_t begun_ms = mysql_now_ms();

    mysql_reports_hold(&reader->reports);
    if (execute(reader) == 0) {
        mysql_reports_drop(&reader->reports);
        return 0;
    }
    if (!is_lost(reader) || was_silent_since(reader, begun_ms))
        return mysql_reports_pass(&reader->reports);
    note_loss(reader);
    return go_on(reader);
}

/* Rows. */

static int end_of_rows(struct mysql_reader *reader)
{
    int64_t bad_dates = reader->bad_dates + mysql_columns_bad_dates(reader->columns);

    reader->ended = true;
    reader->session.querying = false;
    if (bad_dates > 0)
        osiris_log(reader->host, OSIRIS_WARNING,
                   "%lld date%s not exist (like 0000-00-00) and %s NULL in the output",
                   (long long)bad_dates, bad_dates == 1 ? " does" : "s do", bad_dates == 1 ? "is" : "are");
    return mysql_warnings_take(&reader->warnings, &reader->session);
}

/* 1: a row; 0: no more; -1: reported. */
static int fetch_row(struct mysql_reader *reader)
{
    int result = mysql_stmt_fetch(reader->statement);

    if (result == MYSQL_NO_DATA)
        return end_of_rows(reader);
    if (result != 0 && result != MYSQL_DATA_TRUNCATED)
        return statement_failed(reader, "read the rows");
    return 1;
}

static int fill_batch(struct mysql_reader *reader)
{
    struct osiris_builder *builder = mysql_columns_builder(reader->columns);
    int result;

    while (!osiris_builder_is_full(builder, reader->batch_bytes_most)) {
        result = fetch_row(reader);
        if (result <= 0)
            return result;
        mysql_columns_end_row(reader->columns);
    }
    return 0;
}

/* Takes the batch and notes where the next one starts. */
static int finish_batch(struct mysql_reader *reader, struct ArrowArray *out)
{
    struct osiris_builder *builder = mysql_columns_builder(reader->columns);

    if (mysql_columns_error(reader->columns) != NULL)
        return osiris_fail(reader->host, OSIRIS_ERROR_DATA, 0, 0, NULL, NULL, "%s",
                           mysql_columns_error(reader->columns));
    if (osiris_builder_rows(builder) == 0)
        return 0;
    reader->batch_bytes = osiris_builder_bytes(builder);
    if (mysql_columns_finish(reader->columns, out) < 0)
        return osiris_fail(reader->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "%s",
                           osiris_builder_error(builder));
    reader->delivered += out->length;
    reader->failures = 0;
    if (reader->resume == NULL)
        return 0;
    free(reader->after);
    reader->after = mysql_resume_after(reader->resume, &reader->schema, out);
    return mysql_narrow_batch(out, reader->resume->hidden) < 0 ? out_of_memory(reader) : 0;
}

/* One attempt at a batch; rows that arrived before the connection was lost are a batch, too. */
static int next_batch(struct mysql_reader *reader, struct ArrowArray *out)
{
    mysql_reports_hold(&reader->reports);
    int filled = fill_batch(reader);

    mysql_reports_keep(&reader->reports);
    int finished = finish_batch(reader, out);
    if (filled == 0 || finished < 0) {
        mysql_reports_drop(&reader->reports);
        return finished;
    }
    if (is_lost(reader) && has_place(reader)) {
        note_loss(reader);
        return 0;
    }
    if (out->release != NULL)
        out->release(out);
    if (is_lost(reader))
        return fail_lost(reader, "the key of the last row contains a date that does not exist");
    return mysql_reports_pass(&reader->reports);
}

static bool has_all(const struct mysql_reader *reader)
{
    return reader->ended || (reader->lost && reader->limit > 0 && reader->delivered >= reader->limit);
}

int mysql_reader_next(struct mysql_reader *reader, struct ArrowArray *out)
{
    out->release = NULL;
    while (!has_all(reader) && out->release == NULL) {
        if (reader->lost && go_on(reader) < 0)
            return -1;
        if (next_batch(reader, out) < 0)
            return -1;
    }
    return 0;
}

void mysql_reader_interrupt(struct mysql_reader *reader)
{
    mysql_session_interrupt(&reader->session);
}
