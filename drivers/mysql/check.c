/* Checks whether the connection is usable; see verbs.h. */
#include <mysqld_error.h>
#include <stdlib.h>

#include "clock.h"
#include "verbs.h"

#define LATENCY_ROUNDS 3

/* The shortest of a few round trips. */
static int measure_latency(struct mysql_session *session, double *latency_ms)
{
    for (int i = 0; i < LATENCY_ROUNDS; i++) {
        int64_t started_us = mysql_now_us();
        MYSQL_RES *result = mysql_ask(session, "measure the latency", "SELECT 1");
        if (result == NULL)
            return -1;
        mysql_free_result(result);
        double took = (double)(mysql_now_us() - started_us) / 1e3;
        if (i == 0 || took < *latency_ms)
            *latency_ms = took;
    }
    return 0;
}

static int add_server(struct mysql_session *session, struct sql *json)
{
    MYSQL_RES *result = mysql_ask(session, "get the server's version", "SELECT VERSION()");
    MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
    const char *version = row == NULL || row[0] == NULL ? "" : row[0];

    if (result == NULL)
        return -1;
    sql_add(json, "{\"server\": ");
    mysql_add_json(json, strstr(version, "MariaDB") != NULL ? "MariaDB" : "MySQL");
    sql_add(json, ", \"version\": ");
    mysql_add_json(json, version);
    sql_add(json, ", \"tls\": ");
    mysql_add_json(json, mysql_get_ssl_cipher(session->mysql));
    mysql_free_result(result);
    return 0;
}

/* What is granted to the user itself, and whether it applies to the database (of `schema`, or the connection's): globally,
 * on databases, tables and columns. SHOW GRANTS would contain the password's hash. */
#define HOST "SUBSTRING_INDEX(CURRENT_USER(), '@', -1)"
#define IS_GRANTED                                                                                 \
    "GRANTEE = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(" HOST   \
    ") - 1), '''@''', " HOST ", '''')"

static void add_database(struct sql *sql, const struct mysql_session *session)
{
    const char *schema = mysql_table_of(session->host).schema;

    if (schema != NULL && schema[0] != '\0')
        sql_add_string(sql, schema);
    else
        sql_add(sql, "DATABASE()");
}

/* `comparison`: grants on databases apply to patterns. */
static void add_grants(struct sql *sql, const struct mysql_session *session, const char *table,
                       const char *comparison)
{
    sql_add(sql, " UNION ALL SELECT PRIVILEGE_TYPE, ");
    add_database(sql, session);
    sql_format(sql, " %s TABLE_SCHEMA FROM information_schema.%s WHERE " IS_GRANTED, comparison, table);
}

static MYSQL_RES *ask_for_grants(struct mysql_session *session)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT PRIVILEGE_TYPE, MAX(here) FROM (SELECT PRIVILEGE_TYPE, 1 AS here "
                  "FROM information_schema.USER_PRIVILEGES WHERE " IS_GRANTED);
    add_grants(&sql, session, "SCHEMA_PRIVILEGES", "LIKE");
    add_grants(&sql, session, "TABLE_PRIVILEGES", "=");
    add_grants(&sql, session, "COLUMN_PRIVILEGES", "=");
    sql_add(&sql, ") AS grants GROUP BY PRIVILEGE_TYPE ORDER BY PRIVILEGE_TYPE");
    return mysql_ask_sql(session, "get the user's privileges", &sql);
}

/* The privileges on the database; SELECT on another one suffices to read. */
static int add_privileges(struct mysql_session *session, struct sql *json, bool *may_select)
{
    MYSQL_RES *result = ask_for_grants(session);
    const char *before = "";
    MYSQL_ROW row;

    if (result == NULL)
        return -1;
    sql_add(json, ", \"privileges\": [");
    while ((row = mysql_fetch_row(result)) != NULL) {
        *may_select = *may_select || (row[0] != NULL && strcmp(row[0], "SELECT") == 0);
        if (row[1] == NULL || strcmp(row[1], "1") != 0)
            continue;
        sql_add(json, before);
        mysql_add_json(json, row[0]);
        before = ", ";
    }
    sql_add(json, "]");
    mysql_free_result(result);
    return 0;
}

/* What roles and PUBLIC grant shows only in what the server lets the user see, and only for columns. */

enum answer { NO, YES, UNKNOWN };

/* The single value of the statement's result; it is not an error if the server does not know it. */
static enum answer ask_quietly(struct mysql_session *session, struct sql *sql)
{
    char *text = sql_take(sql);
    MYSQL *mysql = session->mysql;
    enum answer answer = UNKNOWN;

    session->querying = true;
    if (text != NULL && mysql_real_query(mysql, text, strlen(text)) == 0) {
        MYSQL_RES *result = mysql_store_result(mysql);
        MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
        if (row != NULL && row[0] != NULL)
            answer = strcmp(row[0], "0") == 0 ? NO : YES;
        mysql_free_result(result);
    }
    if (!mysql_session_is_interrupted(session))
        session->querying = false;
    free(text);
    return answer;
}

static enum answer can_read_a_column(struct mysql_session *session)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT COUNT(*) FROM information_schema.COLUMNS "
                  "WHERE PRIVILEGES LIKE '%select%' AND TABLE_SCHEMA = ");
    add_database(&sql, session);
    return ask_quietly(session, &sql);
}

/* A server that is too old for the function has no roles. */
static enum answer has_a_role(struct mysql_session *session)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT COALESCE(CURRENT_ROLE(), 'NONE') <> 'NONE'");
    enum answer answer = ask_quietly(session, &sql);
    return answer == UNKNOWN && mysql_errno(session->mysql) == ER_SP_DOES_NOT_EXIST ? NO : answer;
}

/* "No" must be certain: a role may give access to tables that have no columns yet, or to other databases. */
static bool may_select_by_others(struct mysql_session *session, const char **message)
{
    enum answer column = can_read_a_column(session);

    *message = "the user may read, through a role or PUBLIC";
    if (column == YES)
        return true;
    *message = "the user may be able to read: it sees nothing to read in the database, but has a role";
    if (column == UNKNOWN || has_a_role(session) != NO)
        return true;
    *message = "the user has no SELECT privilege and sees nothing to read in the database; grant it SELECT";
    return false;
}

static void add_check(struct sql *json, const char *name, bool ok, const char *message)
{
    sql_format(json, "{\"name\": \"%s\", \"ok\": %s, \"message\": ", name, ok ? "true" : "false");
    mysql_add_json(json, message);
    sql_add(json, "}");
}

static int describe(struct mysql_session *session, struct sql *json)
{
    const char *message = "the user may read";
    double latency_ms = 0;
    bool may_select = false;

    if (add_server(session, json) < 0 || measure_latency(session, &latency_ms) < 0)
        return -1;
    sql_format(json, ", \"latency_ms\": %.3f", latency_ms);
    if (add_privileges(session, json, &may_select) < 0)
        return -1;
    sql_add(json, ", \"checks\": [");
    add_check(json, "connect", true, "connected");
    sql_add(json, ", ");
    if (!may_select)
        may_select = may_select_by_others(session, &message);
    add_check(json, "select", may_select, message);
    sql_add(json, "]}");
    return 0;
}

int mysql_check(const struct osiris_host *host, struct mysql_session *session)
{
    struct sql json = {0};

    if (mysql_session_connect(session) < 0)
        return -1;
    if (describe(session, &json) == 0)
        return mysql_answer(host, &json);
    sql_clear(&json);
    return -1;
}
