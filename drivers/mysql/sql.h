/*
 * SQL under construction. A failure (out of memory) is remembered, so that one check at the end suffices. Whatever
 * comes from a config or from a server is added as an identifier or as a literal, never as it is.
 */
#ifndef OSIRIS_DRIVERS_MYSQL_SQL_H
#define OSIRIS_DRIVERS_MYSQL_SQL_H

#include <stdbool.h>
#include <stddef.h>

/* All zero: empty. */
struct sql {
    char *bytes; /* NUL-terminated, or NULL: nothing was added */
    size_t length, capacity;
    bool failed;
};

void sql_clear(struct sql *sql);
void sql_add(struct sql *sql, const char *text);
void sql_format(struct sql *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `name`, with every backquote in it doubled. */
void sql_add_identifier(struct sql *sql, const char *name);
/* `schema`.`table`, or just `table` if the schema is NULL or empty. */
void sql_add_table(struct sql *sql, const char *schema, const char *table);
/* x'0AFF' */
void sql_add_hex(struct sql *sql, const void *bytes, size_t length);
/* Any UTF-8 string. */
void sql_add_string(struct sql *sql, const char *string);
/* The text (free it); NULL: out of memory. */
char *sql_take(struct sql *sql);

#endif
