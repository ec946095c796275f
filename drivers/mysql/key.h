/*
 * A table's columns and keys as the server reports them, and values of key columns as SQL literals that mean exactly
 * the same value in the server's own comparison, whatever the session's settings are.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_KEY_H
#define OSIRIS_DRIVERS_MYSQL_KEY_H

#include "mysql-driver.h"
#include "sql.h"

#define MYSQL_KEY_COLUMNS 32 /* MariaDB's bound; MySQL's is 16 */

/* The form of a column's literals. */
enum mysql_key_kind {
    MYSQL_KEY_UNUSABLE, /* no exact literal, or no usable order: float, enum, json, … */
    MYSQL_KEY_NUMBER,   /* integers and decimals */
    MYSQL_KEY_YEAR,
    MYSQL_KEY_DATE,
    MYSQL_KEY_DATETIME, /* and timestamp: the session's zone is UTC */
    MYSQL_KEY_TIME,
    MYSQL_KEY_TEXT,
    MYSQL_KEY_BYTES,
    MYSQL_KEY_PLAIN, /* uuid, inet4, inet6: their text is their literal */
};

struct mysql_key_column {
    char *name;
    char *charset; /* of text; or NULL */
    enum mysql_key_kind kind;
    bool nullable;
    bool invisible;  /* omitted from "*" */
    bool descending; /* in the index */
};

/* An index without prefixes and expressions. All zero: none. */
struct mysql_key {
    char *name;
    size_t count;
    struct mysql_key_column columns[MYSQL_KEY_COLUMNS];
    char *obstacle; /* without columns: why the table's first unique key cannot be used; NULL: it has none. Without a name:
                     * why no index serves the column */
};

/* The table of the config. */
struct mysql_table {
    const char *schema; /* or NULL: the connection's database */
    const char *name;
};

struct mysql_table mysql_table_of(const struct osiris_host *host);
/* "TABLE_SCHEMA = … AND TABLE_NAME = …", for information_schema. */
void mysql_add_table_condition(struct sql *sql, const struct mysql_table *table);

/* Runs a statement and fetches all of its result, which must be small; NULL with the problem reported. `doing`: "inspect
 * the table", … */
MYSQL_RES *mysql_ask(struct mysql_session *session, const char *doing, const char *sql);
/* The same; takes the text of `sql`. */
MYSQL_RES *mysql_ask_sql(struct mysql_session *session, const char *doing, struct sql *sql);

/* The primary key, else a unique key without nullable columns; count 0 if the table has no such key whose
 * values have literals. `leading`: only its first column is wanted. -1: reported. */
int mysql_find_unique_key(struct mysql_session *session, const struct mysql_table *table, bool leading,
                          struct mysql_key *key);
/* The column called `name` as a key of its own, whose name is that of an index that begins with it, or NULL. count
 * 0: there is no such column. -1: reported. */
int mysql_find_column(struct mysql_session *session, const struct mysql_table *table,
                      const char *name, struct mysql_key *key);
void mysql_key_clear(struct mysql_key *key);
/* Whether the row of SHOW INDEX belongs to an index that the server may not use: ignored (MariaDB), invisible (MySQL). */
bool mysql_index_is_ignored(MYSQL_RES *indexes, MYSQL_ROW row);

/* Adds the literal of a value in the text protocol's form (for text and bytes: its HEX()); false: the value has none. */
bool mysql_add_literal(struct sql *sql, const struct mysql_key_column *column, const char *text);
/* The same for a value in a batch, the child's `row`; NULL has no literal. */
bool mysql_add_arrow_literal(struct sql *sql, const struct mysql_key_column *column,
                             const struct ArrowSchema *schema, const struct ArrowArray *array,
                             int64_t row);
/* Whether the column's values survive the conversion to UTF-8 and back: only then do their literals from a batch denote them. */
bool mysql_key_column_comes_back(const struct mysql_key_column *column);

#endif
