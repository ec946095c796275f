/* Is the connection usable? See verbs.h. */
#include <stdlib.h>
#include <time.h>

#include "verbs.h"

#define LATENCY_ROUNDS 3

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The shortest of a few round trips. */
static int measure_latency(struct mysql_session *session, double *latency_ms)
{
    for (int i = 0; i < LATENCY_ROUNDS; i++) {
        double started = now_ms();
        MYSQL_RES *result = mysql_ask(session, "measure the latency", "SELECT 1");
        if (result == NULL)
            return -1;
        mysql_free_result(result);
        double took = now_ms() - started;
        if (i == 0 || took < *latency_ms)
            *latency_ms = took;
    }
    return 0;
}

static int add_server(struct mysql_session *session, struct sql *json)
{
    MYSQL_RES *result = mysql_ask(session, "ask for the server's version", "SELECT VERSION()");
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

/* Of the user itself, everywhere, on the database, and on tables in it. SHOW GRANTS would have the password's hash in it. */
#define HOST "SUBSTRING_INDEX(CURRENT_USER(), '@', -1)"
#define IS_GRANTED                                                                                 \
    "GRANTEE = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(" HOST   \
    ") - 1), '''@''', " HOST ", '''')"
#define PRIVILEGES                                                                                 \
    "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE " IS_GRANTED " UNION "     \
    "SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES "                              \
    "WHERE DATABASE() LIKE TABLE_SCHEMA AND " IS_GRANTED " UNION "                                  \
    "SELECT PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES "                               \
    "WHERE TABLE_SCHEMA = DATABASE() AND " IS_GRANTED " ORDER BY 1"

static int add_privileges(struct mysql_session *session, struct sql *json, bool *may_select)
{
    MYSQL_RES *result = mysql_ask(session, "ask for the user's privileges", PRIVILEGES);
    const char *before = "";
    MYSQL_ROW row;

    if (result == NULL)
        return -1;
    sql_add(json, ", \"privileges\": [");
    while ((row = mysql_fetch_row(result)) != NULL) {
        sql_add(json, before);
        mysql_add_json(json, row[0]);
        before = ", ";
        *may_select = *may_select || (row[0] != NULL && strcmp(row[0], "SELECT") == 0);
    }
    sql_add(json, "]");
    mysql_free_result(result);
    return 0;
}

static void add_check(struct sql *json, const char *name, bool ok, const char *message)
{
    sql_format(json, "{\"name\": \"%s\", \"ok\": %s, \"message\": ", name, ok ? "true" : "false");
    mysql_add_json(json, message);
    sql_add(json, "}");
}

static int describe(struct mysql_session *session, struct sql *json)
{
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
    add_check(json, "select", may_select,
              may_select ? "the user may read" : "the user itself has no SELECT on the database; grant it, unless a role has it");
    sql_add(json, "]}");
    return 0;
}

int mysql_check(const struct osiris_host *host, struct mysql_session *session)
{
    struct sql json = {0};

    if (mysql_session_connect(session) < 0)
        return -1;
    if (describe(session, &json) == 0)
        return mysql_give(host, &json);
    sql_clear(&json);
    return -1;
}
