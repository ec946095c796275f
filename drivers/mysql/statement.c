/* From the config to SQL; see mysql-driver.h. */
#include <stdio.h>
#include <stdlib.h>

#include "mysql-driver.h"
#include "sql.h"

static void add_columns(struct sql *sql, const struct osiris_host *host)
{
    size_t count = host->get_count(host, OSIRIS_CONFIG, "columns");
    char path[40];

    if (count == 0)
        sql_add(sql, "*");
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/columns/%zu", i);
        if (i > 0)
            sql_add(sql, ", ");
        sql_add_identifier(sql, host->get_string(host, OSIRIS_CONFIG, path, ""));
    }
}

/* Rows that have already arrived are not requested again. */
static void add_limit(struct sql *sql, const struct osiris_host *host, int64_t taken)
{
    int64_t limit = host->get_integer(host, OSIRIS_CONFIG, "limit", 0);
    int64_t offset = taken > 0 ? 0 : host->get_integer(host, OSIRIS_CONFIG, "offset", 0);

    if (limit <= 0 && offset <= 0)
        return;
    /* MySQL has no OFFSET without LIMIT: its manual says to use this number. */
    if (limit > 0)
        sql_format(sql, " LIMIT %lld OFFSET %lld", (long long)(limit - taken), (long long)offset);
    else
        sql_format(sql, " LIMIT 18446744073709551615 OFFSET %lld", (long long)offset);
}

/* Options that make sense only with a table. */
static int check_query_alone(const struct osiris_host *host)
{
    static const char *const options[] = {"columns", "limit", "where", "order_by"};

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (host->value_type(host, OSIRIS_CONFIG, options[i]) > OSIRIS_NULL)
            return osiris_refuse(host, options[i], "move it into the query, or use table instead",
                                 "\"%s\" requires \"table\" and cannot be used with \"query\"", options[i]);
    if (host->get_integer(host, OSIRIS_CONFIG, "offset", 0) > 0)
        return osiris_refuse(host, "offset", "move it into the query, or use table instead",
                             "\"offset\" requires \"table\" and cannot be used with \"query\"");
    return 0;
}

int mysql_check_statement(const struct osiris_host *host)
{
    bool query = host->get_string(host, OSIRIS_CONFIG, "query", NULL) != NULL;
    bool table = host->get_string(host, OSIRIS_CONFIG, "table", NULL) != NULL;

    if (query == table)
        return osiris_refuse(host, query ? "query" : NULL, NULL,
                             "set either \"query\" or \"table\"");
    return query ? check_query_alone(host) : 0;
}

/* Combines the config's condition with the part's. A line break closes a comment at the end of the SQL. */
static void add_where(struct sql *sql, const char *given, const char *part)
{
    if (given == NULL && part == NULL)
        return;
    sql_add(sql, " WHERE ");
    if (given != NULL) {
        sql_add(sql, "(");
        sql_add(sql, given);
        sql_add(sql, "\n)");
    }
    if (part != NULL) {
        sql_add(sql, given != NULL ? " AND (" : "(");
        sql_add(sql, part);
        sql_add(sql, ")");
    }
}

static void add_order(struct sql *sql, const char *given, const char *part)
{
    if (given == NULL && part == NULL)
        return;
    sql_add(sql, " ORDER BY ");
    sql_add(sql, part != NULL ? part : given);
    sql_add(sql, "\n");
}

static void add_select(struct sql *sql, const struct osiris_host *host,
                       const struct mysql_part *part)
{
    const char *schema = host->get_string(host, OSIRIS_CONNECTION, "schema", NULL);

    sql_add(sql, "SELECT ");
    add_columns(sql, host);
    if (part->more_columns != NULL)
        sql_add(sql, part->more_columns);
    sql_add(sql, " FROM ");
    sql_add_table(sql, schema, host->get_string(host, OSIRIS_CONFIG, "table", ""));
    add_where(sql, host->get_string(host, OSIRIS_CONFIG, "where", NULL), part->condition);
    add_order(sql, host->get_string(host, OSIRIS_CONFIG, "order_by", NULL), part->order);
    add_limit(sql, host, part->taken);
}

char *mysql_make_statement(const struct osiris_host *host, const struct mysql_part *part)
{
    const char *query = host->get_string(host, OSIRIS_CONFIG, "query", NULL);
    struct sql sql = {0};

    if (query != NULL)
        sql_add(&sql, query);
    else
        add_select(&sql, host, part);
    char *text = sql_take(&sql);
    if (text == NULL)
        osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    return text;
}

static int prepare_only(struct mysql_session *session, const char *text)
{
    MYSQL_STMT *statement = mysql_stmt_init(session->mysql);
    int result = 0;

    if (statement == NULL)
        return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    if (mysql_stmt_prepare(statement, text, strlen(text)) != 0)
        result = mysql_session_fail_statement(
            session, "use where as a condition (check that its parentheses and quotes are closed)", statement);
    mysql_stmt_close(statement);
    return result;
}

int mysql_check_where(struct mysql_session *session)
{
    const struct osiris_host *host = session->host;
    const char *where = host->get_string(host, OSIRIS_CONFIG, "where", NULL);
    struct sql sql = {0};

    if (where == NULL)
        return 0;
    sql_add(&sql, "SELECT 1 FROM ");
    sql_add_table(&sql, host->get_string(host, OSIRIS_CONNECTION, "schema", NULL),
                  host->get_string(host, OSIRIS_CONFIG, "table", ""));
    sql_add(&sql, " WHERE ");
    sql_add(&sql, where);
    char *text = sql_take(&sql);
    if (text == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    int result = prepare_only(session, text);
    free(text);
    return result;
}
