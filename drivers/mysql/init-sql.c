/* The connection's `init_sql`: statements that set up a new session; see mysql-driver.h. */
#include <stdio.h>

#include "mysql-driver.h"

/* What the columns rely on: times are UTC, texts UTF-8. */
#define CHECK_SESSION                                                                              \
    "SELECT @@session.time_zone IN ('+00:00', 'UTC') AND @@session.character_set_results = 'utf8mb4'"

static int fail(struct mysql_session *session, const char *doing)
{
    /* As with any statement, only one that was interrupted from here is still running. */
    if (!mysql_session_is_interrupted(session))
        session->querying = false;
    return mysql_session_fail_init_sql(session, doing);
}

/* Skips the rows of a statement and all results of a procedure. 0; -1: an error. */
static int skip_results(MYSQL *mysql)
{
    int more;

    do {
        MYSQL_RES *result = mysql_use_result(mysql);
        while (result != NULL && mysql_fetch_row(result) != NULL)
            continue;
        if (result != NULL)
            mysql_free_result(result);
        if (mysql_errno(mysql) != 0)
            return -1;
        more = mysql_next_result(mysql);
    } while (more == 0);
    return more > 0 ? -1 : 0;
}

static int run(struct mysql_session *session, const char *sql, size_t number)
{
    const struct osiris_host *host = session->host;
    char doing[64];

    snprintf(doing, sizeof doing, "run statement %zu of init_sql", number);
    if (host->get_boolean(host, OSIRIS_CONFIG, "echo", 0))
        osiris_log(host, OSIRIS_INFO, "%s", sql);
    session->querying = true;
    if (mysql_real_query(session->mysql, sql, strlen(sql)) != 0 ||
        skip_results(session->mysql) < 0)
        return fail(session, doing);
    session->querying = false;
    return 0;
}

static int check_session(struct mysql_session *session)
{
    MYSQL *mysql = session->mysql;
    MYSQL_RES *result = NULL;

    if (mysql_query(mysql, CHECK_SESSION) != 0 || (result = mysql_store_result(mysql)) == NULL)
        return fail(session, "check the session after init_sql");
    MYSQL_ROW row = mysql_fetch_row(result);
    bool right = row != NULL && row[0] != NULL && strcmp(row[0], "1") == 0;
    mysql_free_result(result);
    if (right)
        return 0;
    return osiris_fail(session->host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                       "convert times and texts in the query",
                       "init_sql has changed the session's time_zone or character_set_results, which must "
                       "remain '+00:00' and utf8mb4");
}

int mysql_run_init_sql(struct mysql_session *session)
{
    const struct osiris_host *host = session->host;
    const char *sql = host->get_string(host, OSIRIS_CONNECTION, "init_sql", NULL);
    size_t count = host->get_count(host, OSIRIS_CONNECTION, "init_sql");
    char path[48];

    if (sql != NULL && run(session, sql, 1) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/init_sql/%zu", i);
        sql = host->get_string(host, OSIRIS_CONNECTION, path, "");
        if (run(session, sql, i + 1) < 0)
            return -1;
    }
    return sql == NULL ? 0 : check_session(session);
}
