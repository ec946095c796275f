/* SQL under construction; see sql.h. */
#include "sql.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sql_clear(struct sql *sql)
{
    free(sql->bytes);
    *sql = (struct sql){0};
}

/* Ensures room for this many more bytes and the terminating NUL. */
static bool make_room(struct sql *sql, size_t length)
{
    size_t needed, capacity;

    if (sql->failed || __builtin_add_overflow(sql->length, length, &needed) ||
        __builtin_add_overflow(needed, 1, &needed) || __builtin_mul_overflow(needed, 2, &capacity)) {
        sql->failed = true;
        return false;
    }
    if (needed <= sql->capacity)
        return true;
    char *grown = realloc(sql->bytes, capacity);
    if (grown == NULL) {
        sql->failed = true;
        return false;
    }
    sql->bytes = grown;
    sql->capacity = capacity;
    return true;
}

static void add_bytes(struct sql *sql, const char *bytes, size_t length)
{
    if (!make_room(sql, length))
        return;
    memcpy(sql->bytes + sql->length, bytes, length);
    sql->length += length;
    sql->bytes[sql->length] = '\0';
}

void sql_add(struct sql *sql, const char *text)
{
    add_bytes(sql, text, strlen(text));
}

void sql_format(struct sql *sql, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0)
        sql->failed = true;
    else if (make_room(sql, (size_t)length)) {
        vsnprintf(sql->bytes + sql->length, (size_t)length + 1, format, again);
        sql->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void sql_add_identifier(struct sql *sql, const char *name)
{
    add_bytes(sql, "`", 1);
    for (; *name != '\0'; name++)
        add_bytes(sql, *name == '`' ? "``" : name, *name == '`' ? 2 : 1);
    add_bytes(sql, "`", 1);
}

void sql_add_table(struct sql *sql, const char *schema, const char *table)
{
    if (schema != NULL && schema[0] != '\0') {
        sql_add_identifier(sql, schema);
        add_bytes(sql, ".", 1);
    }
    sql_add_identifier(sql, table);
}

void sql_add_hex(struct sql *sql, const void *bytes, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t *byte = bytes;
    size_t size;

    if (__builtin_mul_overflow(length, 2, &size) || __builtin_add_overflow(size, 3, &size) ||
        !make_room(sql, size)) {
        sql->failed = true;
        return;
    }
    char *at = sql->bytes + sql->length;
    *at++ = 'x';
    *at++ = '\'';
    for (size_t i = 0; i < length; i++) {
        *at++ = digits[byte[i] >> 4];
        *at++ = digits[byte[i] & 15];
    }
    *at++ = '\'';
    *at = '\0';
    sql->length += size;
}

void sql_add_string(struct sql *sql, const char *string)
{
    /* In hexadecimal no sql_mode can change what a quote or a backslash means. */
    sql_add(sql, "_utf8mb4 ");
    sql_add_hex(sql, string, strlen(string));
}

char *sql_take(struct sql *sql)
{
    char *bytes = sql->bytes;

    if (sql->failed)
        free(bytes), bytes = NULL;
    *sql = (struct sql){0};
    return bytes;
}
