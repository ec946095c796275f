/* Lists tables; see verbs.h. The answer is bounded, because a database may have any number of tables. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "key.h"
#include "verbs.h"

#define MOST_TABLES 500
#define MOST_COLUMNS 20000

struct discovery {
    const struct osiris_host *host;
    struct mysql_session *session;
    struct mysql_reports *reports; /* the session's: a table that cannot be read is not fatal */
    const char *database;
    struct sql json;
    size_t columns;
};

/* Columns. */

/* Each by its name, because "*" omits invisible columns. */
static void add_names(struct sql *sql, MYSQL_RES *columns)
{
    const char *before = "";
    MYSQL_ROW row;

    mysql_data_seek(columns, 0);
    while ((row = mysql_fetch_row(columns)) != NULL) {
        sql_add(sql, before);
        sql_add_identifier(sql, row[0]);
        before = ", ";
    }
}

static bool is_invisible(MYSQL_ROW row)
{
    return row[6] != NULL && strcasestr(row[6], "INVISIBLE") != NULL;
}

/* The Arrow schema of a table, from a statement that is prepared but not run. NULL formats if it cannot be prepared. */
static int find_formats(struct discovery *discovery, const char *table, MYSQL_RES *columns_of,
                        struct ArrowSchema *schema)
{
    struct mysql_session *session = discovery->session;
    MYSQL_STMT *statement = mysql_stmt_init(session->mysql);
    struct mysql_columns *columns = NULL;
    struct sql sql = {0};
    int result = -1;

    schema->release = NULL;
    sql_add(&sql, "SELECT ");
    add_names(&sql, columns_of);
    sql_add(&sql, " FROM ");
    sql_add_table(&sql, discovery->database, table);
    char *text = sql_take(&sql);
    if (statement == NULL || text == NULL)
        osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    else if (mysql_stmt_prepare(statement, text, strlen(text)) != 0)
        mysql_session_fail_statement(session, "read the table", statement);
    else
        columns = mysql_columns_new(session->host, &session->mysql->net,
                                    mariadb_stmt_fetch_fields(statement),
                                    mysql_stmt_field_count(statement), 1, MYSQL_BATCH_BYTES);
    if (columns != NULL)
        result = osiris_builder_schema(mysql_columns_builder(columns), schema);
    mysql_columns_free(columns);
    if (statement != NULL)
        mysql_stmt_close(statement);
    free(text);
    return result;
}

static const char *format_of(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; schema->release != NULL && i < schema->n_children; i++)
        if (strcasecmp(schema->children[i]->name, name) == 0)
            return schema->children[i]->format;
    return NULL;
}

static MYSQL_RES *show(struct discovery *discovery, const char *what, const char *table)
{
    struct sql sql = {0};

    sql_format(&sql, "SHOW %s FROM ", what);
    sql_add_table(&sql, discovery->database, table);
    return mysql_ask_sql(discovery->session, "inspect the table", &sql);
}

/* SHOW FULL COLUMNS: Field, Type, Collation, Null, Key, Default, Extra, … NULL: they are not available. */
static void add_columns(struct discovery *discovery, MYSQL_RES *columns,
                        const struct ArrowSchema *schema)
{
    struct sql *json = &discovery->json;
    const char *before = "";
    MYSQL_ROW row;

    sql_add(json, ", \"columns\": [");
    if (columns != NULL)
        mysql_data_seek(columns, 0);
    while (columns != NULL && (row = mysql_fetch_row(columns)) != NULL) {
        sql_format(json, "%s{\"name\": ", before);
        mysql_add_json(json, row[0]);
        sql_add(json, ", \"type\": ");
        mysql_add_json(json, row[1]);
        sql_add(json, ", \"arrow\": ");
        mysql_add_json(json, format_of(schema, row[0]));
        sql_format(json, ", \"nullable\": %s, \"default\": ",
                   row[3] != NULL && strcasecmp(row[3], "YES") == 0 ? "true" : "false");
        mysql_add_json(json, row[5]);
        sql_add(json, is_invisible(row) ? ", \"invisible\": true}" : "}");
        before = ", ";
        discovery->columns++;
    }
    sql_add(json, "]");
}

/* SHOW INDEX: Table, Non_unique, Key_name, Seq_in_index, Column_name, … The rows of an index are adjacent. */
static int add_keys(struct discovery *discovery, const char *table)
{
    MYSQL_RES *indexes = show(discovery, "INDEX", table);
    struct sql *json = &discovery->json;
    const char *last = NULL;
    MYSQL_ROW row;

    sql_add(json, ", \"keys\": [");
    while (indexes != NULL && (row = mysql_fetch_row(indexes)) != NULL) {
        if (last == NULL || strcmp(last, row[2]) != 0) {
            sql_add(json, last == NULL ? "{\"name\": " : "]}, {\"name\": ");
            mysql_add_json(json, row[2]);
            sql_format(json, ", \"unique\": %s%s, \"columns\": [", strcmp(row[1], "0") == 0 ? "true" : "false",
                       mysql_index_is_ignored(indexes, row) ? ", \"ignored\": true" : "");
        } else {
            sql_add(json, ", ");
        }
        mysql_add_json(json, row[4]);
        last = row[2];
    }
    sql_add(json, last == NULL ? "]" : "]}]");
    mysql_free_result(indexes);
    return indexes == NULL ? -1 : 0;
}

/* Tables: TABLE_NAME, TABLE_TYPE, TABLE_ROWS. */

static int add_table(struct discovery *discovery, MYSQL_ROW row)
{
    struct sql *json = &discovery->json;
    struct ArrowSchema schema = {.release = NULL};

    sql_add(json, "{\"name\": ");
    mysql_add_json(json, row[0]);
    sql_format(json, ", \"kind\": \"%s\", \"rows_estimate\": %s",
               strstr(row[1], "VIEW") != NULL ? "view" : "table", row[2] == NULL ? "null" : row[2]);
    mysql_reports_hold(discovery->reports);
    MYSQL_RES *columns = show(discovery, "FULL COLUMNS", row[0]);
    if (columns != NULL)
        (void)find_formats(discovery, row[0], columns, &schema);
    add_columns(discovery, columns, &schema);
    int result = columns == NULL || add_keys(discovery, row[0]) < 0 ? -1 : 0;
    mysql_free_result(columns);
    if (discovery->reports->held.category != 0) {
        sql_add(json, ", \"error\": ");
        mysql_add_json(json, discovery->reports->held.message);
    }
    sql_add(json, "}");
    if (schema.release != NULL)
        schema.release(&schema);
    /* Without a connection the other tables cannot be read either. */
    if (result < 0 && mysql_ping(discovery->session->mysql) != 0)
        return mysql_reports_pass(discovery->reports);
    mysql_reports_drop(discovery->reports);
    return 0;
}

static MYSQL_RES *list_tables(struct discovery *discovery)
{
    const char *table = discovery->host->get_string(discovery->host, OSIRIS_CONFIG, "table", NULL);
    struct sql sql = {0};

    sql_add(&sql, "SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS FROM information_schema.TABLES "
                  "WHERE TABLE_SCHEMA = ");
    sql_add_string(&sql, discovery->database);
    if (table != NULL) {
        sql_add(&sql, " AND TABLE_NAME = ");
        sql_add_string(&sql, table);
    }
    sql_format(&sql, " ORDER BY TABLE_NAME LIMIT %d", MOST_TABLES + 1);
    return mysql_ask_sql(discovery->session, "list the tables", &sql);
}

static int add_tables(struct discovery *discovery, MYSQL_RES *tables, bool *truncated)
{
    MYSQL_ROW row;

    for (size_t i = 0; (row = mysql_fetch_row(tables)) != NULL; i++) {
        *truncated = i == MOST_TABLES || discovery->columns >= MOST_COLUMNS;
        if (*truncated)
            return 0;
        sql_add(&discovery->json, i > 0 ? ", " : "");
        if (add_table(discovery, row) < 0)
            return -1;
    }
    return 0;
}

/* The names of the other databases that the user can see; `schema` lists the tables of one. */
static int add_other_databases(struct discovery *discovery)
{
    struct sql sql = {0};
    MYSQL_ROW row;

    sql_add(&sql, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN "
                  "('information_schema', 'performance_schema', 'mysql', 'sys') AND SCHEMA_NAME <> ");
    sql_add_string(&sql, discovery->database);
    sql_format(&sql, " ORDER BY SCHEMA_NAME LIMIT %d", MOST_TABLES);
    MYSQL_RES *names = mysql_ask_sql(discovery->session, "list the databases", &sql);
    if (names == NULL)
        return -1;
    while ((row = mysql_fetch_row(names)) != NULL) {
        sql_add(&discovery->json, ", {\"name\": ");
        mysql_add_json(&discovery->json, row[0]);
        sql_add(&discovery->json, "}");
    }
    mysql_free_result(names);
    return 0;
}

static int discover(struct discovery *discovery)
{
    const char *table = discovery->host->get_string(discovery->host, OSIRIS_CONFIG, "table", NULL);
    MYSQL_RES *tables = list_tables(discovery);
    bool truncated = false;

    if (tables == NULL)
        return -1;
    if (table != NULL && mysql_num_rows(tables) == 0) {
        mysql_free_result(tables);
        return osiris_fail(discovery->host, OSIRIS_ERROR_NOT_FOUND, 0, 0, NULL,
                           "check its name and the user's privileges",
                           "the database \"%s\" has no table \"%s\"", discovery->database, table);
    }
    sql_add(&discovery->json, "{\"databases\": [{\"name\": ");
    mysql_add_json(&discovery->json, discovery->database);
    sql_add(&discovery->json, ", \"tables\": [");
    int result = add_tables(discovery, tables, &truncated);
    mysql_free_result(tables);
    sql_format(&discovery->json, "], \"truncated\": %s}", truncated ? "true" : "false");
    if (result == 0 && table == NULL)
        result = add_other_databases(discovery);
    sql_add(&discovery->json, "]}");
    return result;
}

int mysql_discover(const struct osiris_host *host, struct mysql_session *session,
                   struct mysql_reports *reports)
{
    const char *schema = host->get_string(host, OSIRIS_CONNECTION, "schema", NULL);
    struct discovery discovery = {
        .host = host,
        .session = session,
        .reports = reports,
        .database = schema != NULL && schema[0] != '\0'
                        ? schema
                        : host->get_string(host, OSIRIS_CONNECTION, "database", ""),
    };

    if (mysql_session_connect(session) < 0)
        return -1;
    if (discover(&discovery) == 0)
        return mysql_answer(host, &discovery.json);
    sql_clear(&discovery.json);
    return -1;
}
