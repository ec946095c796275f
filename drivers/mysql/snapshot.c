/*
 * One snapshot for several connections; see snapshot.h. While the coordinator holds LOCK TABLES … READ, nobody commits a
 * change to the table: the lock is granted when all transactions that have written to it have ended (their metadata locks
 * last until they commit), and no other can start. Transactions that start their snapshot under the lock see the same state.
 */
#include "snapshot.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static int refuse(const struct osiris_host *host, const char *hint, const char *reason,
                  const char *name)
{
    return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, hint,
                       "\"consistent\" is not possible: \"%s\" %s", name, reason);
}

static int check_engine(struct mysql_session *session, const struct mysql_table *table)
{
    struct sql sql = {0};
    int result = 0;

    sql_add(&sql, "SELECT t.ENGINE, e.TRANSACTIONS FROM information_schema.TABLES t LEFT JOIN "
                  "information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE ");
    mysql_add_table_condition(&sql, table);
    MYSQL_RES *found = mysql_ask_sql(session, "get the table's engine", &sql);
    if (found == NULL)
        return -1;
    MYSQL_ROW row = mysql_fetch_row(found);
    if (row == NULL)
        result = refuse(session->host, NULL, "is not visible in information_schema", table->name);
    else if (row[0] == NULL)
        result = refuse(session->host, "read its tables", "is a view, which cannot be locked by itself",
                        table->name);
    else if (strcasecmp(row[0], "InnoDB") != 0)
        result = osiris_fail(session->host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, "omit consistent",
                             "\"consistent\" is not possible: the engine of \"%s\", %s, has no snapshots",
                             table->name, row[0]);
    mysql_free_result(found);
    return result;
}

/* A statement without a result. False: it failed. */
static bool try(struct mysql_session *session, const char *sql)
{
    session->querying = true;
    bool done = mysql_real_query(session->mysql, sql, strlen(sql)) == 0;
    if (done || !mysql_session_is_interrupted(session))
        session->querying = false;
    return done;
}

static int execute(struct mysql_session *session, const char *doing, const char *sql)
{
    MYSQL *mysql = session->mysql;

    if (try(session, sql))
        return 0;
    return mysql_session_fail(session, doing, mysql_errno(mysql), mysql_sqlstate(mysql),
                              mysql_error(mysql));
}

static int begin_transaction(struct mysql_session *session)
{
    if (execute(session, "set the isolation level",
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ") < 0)
        return -1;
    return execute(session, "start the snapshot",
                   "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
}

/* Writers queue behind a waiting lock, so its wait is short. */
static int bound_wait(struct mysql_session *session, int64_t seconds)
{
    char statement[64];

    snprintf(statement, sizeof statement, "SET SESSION lock_wait_timeout = %lld", (long long)seconds);
    return execute(session, "set the timeout of the lock", statement);
}

/* The server's error for a lock timeout does not name the lock. */
static int fail_lock(struct mysql_session *session, const struct mysql_table *table, int64_t seconds)
{
    MYSQL *mysql = session->mysql;
    unsigned code = mysql_errno(mysql);

    if (code == ER_LOCK_WAIT_TIMEOUT)
        return osiris_fail(session->host, OSIRIS_ERROR_TIMEOUT, 1, (int32_t)code,
                           mysql_sqlstate(mysql),
                           "end the transactions and statements that use the table, or raise lock_timeout",
                           "LOCK TABLES \"%s\" READ, which consistent needs for a snapshot of several "
                           "connections, was not granted within %lld s (lock_timeout): %s (%u, %s)",
                           table->name, (long long)seconds, mysql_error(mysql), code,
                           mysql_sqlstate(mysql));
    return mysql_session_fail(session,
                              code == ER_DBACCESS_DENIED_ERROR || code == ER_TABLEACCESS_DENIED_ERROR
                                  ? "lock the table for a snapshot of several connections; consistent "
                                    "needs the privilege LOCK TABLES"
                                  : "lock the table for a snapshot of several connections",
                              code, mysql_sqlstate(mysql), mysql_error(mysql));
}

static int lock(struct mysql_session *session, const struct mysql_table *table)
{
    int64_t seconds = session->host->get_integer(session->host, OSIRIS_CONFIG, "lock_timeout",
                                                 MYSQL_LOCK_TIMEOUT_S);
    struct sql sql = {0};

    if (bound_wait(session, seconds) < 0)
        return -1;
    sql_add(&sql, "LOCK TABLES ");
    sql_add_table(&sql, table->schema, table->name);
    sql_add(&sql, " READ");
    char *text = sql_take(&sql);
    if (text == NULL)
        return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    bool locked = try(session, text);
    free(text);
    return locked ? 0 : fail_lock(session, table, seconds);
}

int mysql_snapshot_begin(struct mysql_session *coordinator, struct mysql_reader *readers,
                         size_t count)
{
    const struct mysql_table table = mysql_table_of(coordinator->host);

    if (check_engine(coordinator, &table) < 0)
        return -1;
    if (count > 1 && lock(coordinator, &table) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (begin_transaction(&readers[i].session) < 0)
            return -1;
    return count > 1 ? execute(coordinator, "unlock the table", "UNLOCK TABLES") : 0;
}
