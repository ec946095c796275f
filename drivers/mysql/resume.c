/* Resuming after a lost connection; see resume.h. */
#include "resume.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "warnings.h"

bool mysql_is_lost_connection(const struct osiris_error_report *error)
{
    static const int32_t codes[] = {CR_SERVER_GONE_ERROR,
                                    CR_SERVER_LOST,
                                    2055, /* CR_SERVER_LOST_EXTENDED */
                                    ER_SERVER_SHUTDOWN,
                                    1927, /* ER_CONNECTION_KILLED */
                                    ER_ABORTING_CONNECTION,
                                    ER_NET_READ_ERROR,
                                    ER_NET_READ_INTERRUPTED,
                                    ER_NET_ERROR_ON_WRITE,
                                    ER_NET_WRITE_INTERRUPTED,
                                    4031 /* ER_CLIENT_INTERACTION_TIMEOUT */};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == error->native_code)
            return true;
    /* TLS whose peer has gone without closing; while connecting, it means a wrong certificate or the like. */
    return error->native_code == CR_SSL_CONNECTION_ERROR && error->retryable != 0;
}

/* The option. */

static const char *wanted(const struct osiris_host *host)
{
    return host->get_string(host, OSIRIS_CONFIG, "on_disconnect", "");
}

bool mysql_resume_is_wanted(const struct osiris_host *host)
{
    return strcmp(wanted(host), "resume") == 0;
}

bool mysql_resume_is_unwanted(const struct osiris_host *host)
{
    return strcmp(wanted(host), "fail") == 0;
}

/* Why the config rules out resuming, or NULL. */
static const char *obstacle(const struct osiris_host *host)
{
    if (host->get_string(host, OSIRIS_CONFIG, "table", NULL) == NULL)
        return "a query has no key to resume from; use table";
    if (host->get_string(host, OSIRIS_CONFIG, "order_by", NULL) != NULL)
        return "the rows are in the order of order_by, not of a key; omit order_by";
    if (host->get_boolean(host, OSIRIS_CONFIG, "consistent", 0))
        return "a snapshot is lost with its connection; omit consistent, or use on_disconnect: fail";
    if (mysql_warnings_are_errors(host))
        return "the server's warnings are lost with the connection; use on_warnings: warn, or on_disconnect: fail";
    return NULL;
}

int mysql_resume_check(const struct osiris_host *host)
{
    const char *reason = mysql_resume_is_wanted(host) ? obstacle(host) : NULL;

    if (reason == NULL)
        return 0;
    return osiris_refuse(host, "on_disconnect", NULL, "\"on_disconnect: resume\" is not possible: %s",
                         reason);
}

/* The key's order in the statement. */

static bool is_in_config(const struct osiris_host *host, const char *name)
{
    size_t count = host->get_count(host, OSIRIS_CONFIG, "columns");
    char path[40];

    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/columns/%zu", i);
        if (strcasecmp(host->get_string(host, OSIRIS_CONFIG, path, ""), name) == 0)
            return true;
    }
    return false;
}

static bool is_hidden(const struct osiris_host *host, const struct mysql_key_column *column)
{
    if (host->get_count(host, OSIRIS_CONFIG, "columns") == 0)
        return column->invisible;
    return !is_in_config(host, column->name);
}

static int make_clauses(const struct osiris_host *host, struct mysql_resume *resume)
{
    struct sql order = {0}, more = {0};

    for (size_t i = 0; i < resume->key.count; i++) {
        const struct mysql_key_column *column = &resume->key.columns[i];
        sql_add(&order, i > 0 ? ", " : "");
        sql_add_identifier(&order, column->name);
        sql_add(&order, column->descending ? " DESC" : "");
        resume->is_hidden[i] = is_hidden(host, column);
        if (!resume->is_hidden[i])
            continue;
        resume->hidden++;
        sql_add(&more, ", ");
        sql_add_identifier(&more, column->name);
    }
    resume->order = sql_take(&order);
    resume->more_columns = sql_take(&more);
    return resume->order == NULL || (resume->hidden > 0 && resume->more_columns == NULL) ? -1 : 0;
}

/* Whether the order costs nothing: the server explains how it would read the table with and without it. */

struct access {
    bool whole;  /* it scans the table in storage order */
    bool by_key; /* it scans the key */
    bool detour; /* it sorts, or creates a temporary table */
};

static const char *get(MYSQL_RES *result, MYSQL_ROW row, const char *name)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);

    for (unsigned i = 0; i < mysql_num_fields(result); i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return row[i] == NULL ? "" : row[i];
    return "";
}

static int explain(const struct osiris_host *host, struct mysql_session *session,
                   const struct mysql_part *part, const char *key, struct access *access)
{
    char *statement = mysql_make_statement(host, part);
    struct sql sql = {0};

    if (statement == NULL)
        return -1;
    sql_format(&sql, "EXPLAIN FORMAT=TRADITIONAL %s", statement);
    free(statement);
    MYSQL_RES *result = mysql_ask_sql(session, "explain the read of the table", &sql);
    if (result == NULL)
        return -1;
    MYSQL_ROW row = mysql_fetch_row(result);
    *access = (struct access){.detour = true};
    if (row != NULL && mysql_num_rows(result) == 1)
        *access = (struct access){
            .whole = strcmp(get(result, row, "type"), "ALL") == 0,
            .by_key = strcmp(get(result, row, "key"), key) == 0,
            .detour = strstr(get(result, row, "Extra"), "filesort") != NULL ||
                      strstr(get(result, row, "Extra"), "temporary") != NULL,
        };
    mysql_free_result(result);
    return 0;
}

static bool is_free(const struct osiris_host *host, struct mysql_session *session,
                    const struct mysql_part *part, const struct mysql_resume *resume)
{
    struct access plain, ordered;
    struct mysql_part with_order = *part;

    with_order.order = resume->order;
    with_order.more_columns = resume->more_columns;
    if (explain(host, session, part, resume->key.name, &plain) < 0 ||
        explain(host, session, &with_order, resume->key.name, &ordered) < 0)
        return false;
    return (plain.whole || plain.by_key) && ordered.by_key && !ordered.detour;
}

/* Finding. */

/* The first column of the key whose values change on the way through a batch, or NULL. */
static const struct mysql_key_column *find_changed(const struct mysql_key *key)
{
    for (size_t i = 0; i < key->count; i++)
        if (!mysql_key_column_comes_back(&key->columns[i]))
            return &key->columns[i];
    return NULL;
}

void mysql_resume_clear(struct mysql_resume *resume)
{
    mysql_key_clear(&resume->key);
    free(resume->order);
    free(resume->more_columns);
    *resume = (struct mysql_resume){0};
}

static int find_key(const struct osiris_host *host, struct mysql_session *session,
                    struct mysql_resume *resume)
{
    const struct mysql_table table = mysql_table_of(host);

    if (mysql_find_unique_key(session, &table, false, &resume->key) < 0)
        return -1;
    const struct mysql_key_column *changed = find_changed(&resume->key);
    if (changed != NULL) {
        struct sql obstacle = {0};
        sql_format(&obstacle, "its key \"%s\" cannot be used, because the character set of \"%s\", %s, does not survive "
                              "the conversion to UTF-8 and back",
                   resume->key.name, changed->name, changed->charset);
        mysql_key_clear(&resume->key);
        resume->key.obstacle = sql_take(&obstacle);
    }
    if (resume->key.count == 0 || make_clauses(host, resume) == 0)
        return 0;
    return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

int mysql_resume_find(const struct osiris_host *host, struct mysql_session *session,
                      const struct mysql_part *part, struct mysql_resume *resume)
{
    bool must = mysql_resume_is_wanted(host);

    *resume = (struct mysql_resume){0};
    if (mysql_resume_is_unwanted(host) || obstacle(host) != NULL)
        return 0;
    if (find_key(host, session, resume) < 0) {
        mysql_resume_clear(resume);
        return -1;
    }
    if (must && resume->key.count == 0)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, "use on_disconnect: fail",
                           "\"on_disconnect: resume\" is not possible: the table \"%s\" has no key to resume from: %s",
                           mysql_table_of(host).name,
                           resume->key.obstacle != NULL ? resume->key.obstacle
                                                        : "it has no unique key");
    if (!must && resume->key.count > 0 && !is_free(host, session, part, resume))
        mysql_resume_clear(resume);
    return 0;
}

/* Where to resume. */

/* The index of the key's column in the statement's result; -1: it is missing. */
static int position_of(const struct mysql_resume *resume, const struct ArrowSchema *schema,
                    size_t index, unsigned hidden_before)
{
    int64_t visible = schema->n_children - resume->hidden;

    if (resume->is_hidden[index])
        return (int)(visible + hidden_before);
    for (int64_t i = 0; i < visible; i++)
        if (strcasecmp(schema->children[i]->name, resume->key.columns[index].name) == 0)
            return (int)i;
    return -1;
}

static char *make_literal(const struct mysql_resume *resume, size_t index,
                          const struct ArrowSchema *schema, const struct ArrowArray *batch,
                          int position)
{
    struct sql sql = {0};

    if (position < 0 || position >= batch->n_children ||
        !mysql_add_arrow_literal(&sql, &resume->key.columns[index], schema->children[position],
                                 batch->children[position], batch->length - 1)) {
        sql_clear(&sql);
        return NULL;
    }
    return sql_take(&sql);
}

/* One literal for each column of the key. False: a value has none. */
static bool make_literals(const struct mysql_resume *resume, const struct ArrowSchema *schema,
                          const struct ArrowArray *batch, char **literals)
{
    unsigned hidden_before = 0;

    for (size_t i = 0; i < resume->key.count; i++) {
        int position = position_of(resume, schema, i, hidden_before);
        hidden_before += resume->is_hidden[i];
        literals[i] = make_literal(resume, i, schema, batch, position);
        if (literals[i] == NULL)
            return false;
    }
    return true;
}

static void add_comparison(struct sql *sql, const char *name, const char *how, const char *literal)
{
    sql_add_identifier(sql, name);
    sql_add(sql, how);
    sql_add(sql, literal);
}

static const char *behind(const struct mysql_key_column *column)
{
    return column->descending ? " < " : " > ";
}

/* a >= 1 AND (a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND c > 3)))). For a comparison of rows the server would not use the
 * index. An older optimizer understands only the first part. */
static void add_behind(struct sql *sql, const struct mysql_key *key, char *const *literals)
{
    size_t last = key->count - 1;

    if (last > 0) {
        add_comparison(sql, key->columns[0].name, key->columns[0].descending ? " <= " : " >= ",
                       literals[0]);
        sql_add(sql, " AND ");
    }
    for (size_t i = 0; i < last; i++) {
        sql_add(sql, "(");
        add_comparison(sql, key->columns[i].name, behind(&key->columns[i]), literals[i]);
        sql_add(sql, " OR (");
        add_comparison(sql, key->columns[i].name, " = ", literals[i]);
        sql_add(sql, " AND ");
    }
    add_comparison(sql, key->columns[last].name, behind(&key->columns[last]), literals[last]);
    for (size_t i = 0; i < last; i++)
        sql_add(sql, "))");
}

char *mysql_resume_after(const struct mysql_resume *resume, const struct ArrowSchema *schema,
                         const struct ArrowArray *batch)
{
    char *literals[MYSQL_KEY_COLUMNS] = {NULL};
    struct sql sql = {0};
    char *condition = NULL;

    if (make_literals(resume, schema, batch, literals)) {
        add_behind(&sql, &resume->key, literals);
        condition = sql_take(&sql);
    }
    for (size_t i = 0; i < resume->key.count; i++)
        free(literals[i]);
    return condition;
}
