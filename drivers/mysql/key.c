/* A table's columns and keys; see key.h. */
#include "key.h"

#include <stdlib.h>
#include <strings.h>

/* Asking. */

static MYSQL_RES *no_result(struct mysql_session *session, const char *doing)
{
    osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                "cannot %s: the statement has no result", doing);
    return NULL;
}

MYSQL_RES *mysql_ask(struct mysql_session *session, const char *doing, const char *sql)
{
    MYSQL *mysql = session->mysql;

    session->querying = true;
    if (mysql_real_query(mysql, sql, strlen(sql)) == 0) {
        MYSQL_RES *result = mysql_store_result(mysql);
        if (result != NULL || mysql_errno(mysql) == 0) {
            session->querying = false;
            return result != NULL ? result : no_result(session, doing);
        }
    }
    /* Only a statement that was interrupted from here is still running. */
    if (!mysql_session_is_interrupted(session))
        session->querying = false;
    mysql_session_fail(session, doing, mysql_errno(mysql), mysql_sqlstate(mysql),
                       mysql_error(mysql));
    return NULL;
}

static int out_of_memory(struct mysql_session *session)
{
    return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

MYSQL_RES *mysql_ask_sql(struct mysql_session *session, const char *doing, struct sql *sql)
{
    char *text = sql_take(sql);
    MYSQL_RES *result = NULL;

    if (text == NULL)
        out_of_memory(session);
    else
        result = mysql_ask(session, doing, text);
    free(text);
    return result;
}

struct mysql_table mysql_table_of(const struct osiris_host *host)
{
    return (struct mysql_table){
        .schema = host->get_string(host, OSIRIS_CONNECTION, "schema", NULL),
        .name = host->get_string(host, OSIRIS_CONFIG, "table", NULL),
    };
}

void mysql_add_table_condition(struct sql *sql, const struct mysql_table *table)
{
    sql_add(sql, "TABLE_SCHEMA = ");
    if (table->schema != NULL && table->schema[0] != '\0')
        sql_add_string(sql, table->schema);
    else
        sql_add(sql, "DATABASE()");
    sql_add(sql, " AND TABLE_NAME = ");
    sql_add_string(sql, table->name);
}

static MYSQL_RES *ask_of_table(struct mysql_session *session, const struct mysql_table *table,
                               const char *what)
{
    struct sql sql = {0};

    sql_format(&sql, "SHOW %s FROM ", what);
    sql_add_table(&sql, table->schema, table->name);
    return mysql_ask_sql(session, "inspect the table", &sql);
}

/* Types. */

/* "int(10) unsigned" is an int. */
static bool is_type(const char *type, const char *name)
{
    size_t length = strlen(name);

    return strncasecmp(type, name, length) == 0 && strchr("( ", type[length]) != NULL;
}

static enum mysql_key_kind kind_of(const char *type)
{
    static const struct {
        const char *name;
        enum mysql_key_kind kind;
    } kinds[] = {
        {"tinyint", MYSQL_KEY_NUMBER},   {"smallint", MYSQL_KEY_NUMBER},
        {"mediumint", MYSQL_KEY_NUMBER}, {"int", MYSQL_KEY_NUMBER},
        {"bigint", MYSQL_KEY_NUMBER},    {"decimal", MYSQL_KEY_NUMBER},
        {"year", MYSQL_KEY_YEAR},
        {"date", MYSQL_KEY_DATE},        {"datetime", MYSQL_KEY_DATETIME},
        {"timestamp", MYSQL_KEY_DATETIME}, {"time", MYSQL_KEY_TIME},
        {"char", MYSQL_KEY_TEXT},        {"varchar", MYSQL_KEY_TEXT},
        {"binary", MYSQL_KEY_BYTES},     {"varbinary", MYSQL_KEY_BYTES},
        {"uuid", MYSQL_KEY_PLAIN},       {"inet4", MYSQL_KEY_PLAIN},
        {"inet6", MYSQL_KEY_PLAIN},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (is_type(type, kinds[i].name))
            return kinds[i].kind;
    return MYSQL_KEY_UNUSABLE;
}

/* SHOW FULL COLUMNS: Field, Type, Collation, Null, Key, Default, Extra, … */
enum { COLUMN_FIELD, COLUMN_TYPE, COLUMN_COLLATION, COLUMN_NULL, COLUMN_EXTRA = 6 };

static bool is_yes(const char *text)
{
    return text != NULL && strcasecmp(text, "YES") == 0;
}

static int fill_column(struct mysql_key_column *column, MYSQL_ROW row)
{
    const char *collation = row[COLUMN_COLLATION];

    *column = (struct mysql_key_column){
        .name = strdup(row[COLUMN_FIELD]),
        .kind = kind_of(row[COLUMN_TYPE]),
        .nullable = is_yes(row[COLUMN_NULL]),
        .invisible = row[COLUMN_EXTRA] != NULL && strcasestr(row[COLUMN_EXTRA], "INVISIBLE") != NULL,
    };
    /* A collation's name starts with the name of its character set. */
    if (collation != NULL)
        column->charset = strndup(collation, strcspn(collation, "_"));
    return column->name == NULL || (collation != NULL && column->charset == NULL) ? -1 : 0;
}

static MYSQL_ROW find_row(MYSQL_RES *columns, const char *name)
{
    MYSQL_ROW row;

    mysql_data_seek(columns, 0);
    while ((row = mysql_fetch_row(columns)) != NULL)
        if (strcasecmp(row[COLUMN_FIELD], name) == 0)
            return row;
    return NULL;
}

/* Keys. */

/* SHOW INDEX: Table, Non_unique, Key_name, Seq_in_index, Column_name, Collation, Cardinality, Sub_part, Packed, Null,
 * Index_type, … */
enum {
    INDEX_NON_UNIQUE = 1,
    INDEX_NAME = 2,
    INDEX_SEQUENCE = 3,
    INDEX_COLUMN = 4,
    INDEX_DIRECTION = 5,
    INDEX_PART = 7,
    INDEX_TYPE = 10
};

bool mysql_index_is_ignored(MYSQL_RES *indexes, MYSQL_ROW row)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(indexes);

    for (unsigned i = INDEX_TYPE + 1; i < mysql_num_fields(indexes); i++)
        if ((strcasecmp(fields[i].name, "Ignored") == 0 && is_yes(row[i])) ||
            (strcasecmp(fields[i].name, "Visible") == 0 && !is_yes(row[i])))
            return true;
    return false;
}

/* Not a prefix, not an expression (MySQL) and not a hash. */
static bool is_ordered(MYSQL_ROW row)
{
    return row[INDEX_PART] == NULL && row[INDEX_COLUMN] != NULL &&
           strcasecmp(row[INDEX_TYPE], "BTREE") == 0;
}

#define IS_IGNORED "the server is configured to ignore it"

/* Why a column makes a unique key unusable; true: it does. */
static bool find_obstacle(MYSQL_ROW row, MYSQL_ROW column, bool ignored, struct sql *obstacle)
{
    const char *name = row[INDEX_COLUMN];

    sql_format(obstacle, "its key \"%s\" cannot be used, because ", row[INDEX_NAME]);
    if (ignored)
        sql_add(obstacle, IS_IGNORED);
    else if (name == NULL || column == NULL)
        sql_add(obstacle, "it contains an expression");
    else if (row[INDEX_PART] != NULL)
        sql_format(obstacle, "it contains only a prefix of \"%s\"", name);
    else if (strcasecmp(row[INDEX_TYPE], "BTREE") != 0)
        sql_format(obstacle, "it is a %s index, which has no order", row[INDEX_TYPE]);
    else if (is_yes(column[COLUMN_NULL]))
        sql_format(obstacle, "\"%s\" may be NULL", name);
    else if (kind_of(column[COLUMN_TYPE]) == MYSQL_KEY_UNUSABLE)
        sql_format(obstacle, "values of \"%s\", %.60s, cannot be compared exactly", name,
                   column[COLUMN_TYPE]);
    else
        return false;
    return true;
}

/* False: it makes the key unusable; for a unique key, the first obstacle is kept. */
static bool is_usable(MYSQL_ROW row, MYSQL_ROW column, bool ignored, char **obstacle)
{
    struct sql text = {0};

    if (strcmp(row[INDEX_NON_UNIQUE], "0") != 0)
        return false;
    bool found = find_obstacle(row, column, ignored, &text);
    if (found && *obstacle == NULL)
        *obstacle = sql_take(&text);
    sql_clear(&text);
    return !found;
}

void mysql_key_clear(struct mysql_key *key)
{
    for (size_t i = 0; i < key->count; i++) {
        free(key->columns[i].name);
        free(key->columns[i].charset);
    }
    free(key->name);
    free(key->obstacle);
    *key = (struct mysql_key){0};
}

static int add_column(struct mysql_key *key, MYSQL_ROW column)
{
    if (key->count == MYSQL_KEY_COLUMNS)
        return -1;
    return fill_column(&key->columns[key->count++], column);
}

/* The rows of the index are adjacent; `row` is the first. The key has no columns if it cannot be used. False: out
 * of memory. */
static bool take_index(MYSQL_RES *indexes, MYSQL_ROW row, MYSQL_RES *columns, bool leading,
                       struct mysql_key *key, char **obstacle)
{
    const char *name = row[INDEX_NAME];
    bool usable = true, ok = true;

    for (; ok && usable && row != NULL && strcmp(row[INDEX_NAME], name) == 0 &&
           !(leading && key->count > 0);
         row = mysql_fetch_row(indexes)) {
        MYSQL_ROW column = row[INDEX_COLUMN] == NULL ? NULL : find_row(columns, row[INDEX_COLUMN]);
        usable = is_usable(row, column, mysql_index_is_ignored(indexes, row), obstacle);
        if (!usable)
            continue;
        ok = add_column(key, column) == 0;
        if (ok && row[INDEX_DIRECTION] != NULL)
            key->columns[key->count - 1].descending = strcmp(row[INDEX_DIRECTION], "D") == 0;
    }
    if (usable && ok)
        ok = (key->name = strdup(name)) != NULL;
    if (!usable || !ok)
        mysql_key_clear(key);
    return ok;
}

/* The server lists the primary key first, then the unique ones. */
static bool choose_key(MYSQL_RES *indexes, MYSQL_RES *columns, bool leading, struct mysql_key *key)
{
    const char *last = "";
    char *obstacle = NULL;
    bool ok = true;

    for (my_ulonglong i = 0; ok && i < mysql_num_rows(indexes) && key->count == 0; i++) {
        mysql_data_seek(indexes, i);
        MYSQL_ROW row = mysql_fetch_row(indexes);
        if (strcmp(row[INDEX_NAME], last) == 0)
            continue;
        last = row[INDEX_NAME];
        ok = take_index(indexes, row, columns, leading, key, &obstacle);
    }
    if (ok && key->count == 0)
        key->obstacle = obstacle;
    else
        free(obstacle);
    return ok;
}

int mysql_find_unique_key(struct mysql_session *session, const struct mysql_table *table, bool leading,
                          struct mysql_key *key)
{
    MYSQL_RES *columns = ask_of_table(session, table, "FULL COLUMNS");
    MYSQL_RES *indexes = columns == NULL ? NULL : ask_of_table(session, table, "INDEX");
    int result = -1;

    *key = (struct mysql_key){0};
    if (indexes != NULL)
        result = choose_key(indexes, columns, leading, key) ? 0 : out_of_memory(session);
    mysql_free_result(indexes);
    mysql_free_result(columns);
    return result;
}

/* A test of an index that begins with the column or a prefix of it. */
typedef bool (*index_test)(MYSQL_RES *indexes, MYSQL_ROW row);

static bool can_split(MYSQL_RES *indexes, MYSQL_ROW row)
{
    return is_ordered(row) && !mysql_index_is_ignored(indexes, row);
}

static bool is_prefix(MYSQL_RES *indexes, MYSQL_ROW row)
{
    (void)indexes;
    return row[INDEX_PART] != NULL;
}

/* The name of the first such index; borrowed, or NULL. */
static const char *index_of(MYSQL_RES *indexes, const char *name, index_test test)
{
    MYSQL_ROW row;

    mysql_data_seek(indexes, 0);
    while ((row = mysql_fetch_row(indexes)) != NULL)
        if (strcmp(row[INDEX_SEQUENCE], "1") == 0 && row[INDEX_COLUMN] != NULL &&
            strcasecmp(row[INDEX_COLUMN], name) == 0 && test(indexes, row))
            return row[INDEX_NAME];
    return NULL;
}

static char *obstacle_of(MYSQL_RES *indexes, const char *name)
{
    const char *ignored = index_of(indexes, name, mysql_index_is_ignored);
    const char *prefix = index_of(indexes, name, is_prefix);
    struct sql text = {0};

    if (ignored != NULL)
        sql_format(&text, "its index \"%s\" cannot be used, because " IS_IGNORED, ignored);
    else if (prefix != NULL)
        sql_format(&text, "its index \"%s\" contains only a prefix of it", prefix);
    else
        sql_add(&text, "no index begins with it");
    return sql_take(&text);
}

static int make_column_key(struct mysql_session *session, MYSQL_ROW column, MYSQL_RES *indexes,
                           struct mysql_key *key)
{
    const char *index = index_of(indexes, column[COLUMN_FIELD], can_split);
    char **text = index != NULL ? &key->name : &key->obstacle;

    *text = index != NULL ? strdup(index) : obstacle_of(indexes, column[COLUMN_FIELD]);
    if (*text != NULL && add_column(key, column) == 0)
        return 0;
    mysql_key_clear(key);
    return out_of_memory(session);
}

int mysql_find_column(struct mysql_session *session, const struct mysql_table *table,
                      const char *name, struct mysql_key *key)
{
    MYSQL_RES *columns = ask_of_table(session, table, "FULL COLUMNS");
    MYSQL_RES *indexes = columns == NULL ? NULL : ask_of_table(session, table, "INDEX");
    int result = -1;

    *key = (struct mysql_key){0};
    if (indexes != NULL) {
        MYSQL_ROW column = find_row(columns, name);
        result = column == NULL ? 0 : make_column_key(session, column, indexes, key);
    }
    mysql_free_result(indexes);
    mysql_free_result(columns);
    return result;
}
