/*
 * How fast rows can be taken from a server with libmariadb, without using them: what an extractor can
 * at best reach. One query, four ways:
 *
 *   text       mysql_use_result, mysql_fetch_row: what every ordinary client does
 *   skip       a prepared statement without binds: the library only walks the rows
 *   binds      a prepared statement with a bind a column, the library copying into them
 *   callback   STMT_ATTR_CB_RESULT: each column's bytes as they came, summed up here
 *
 *     bench/mysql-fetch [QUERY [ROUNDS [WAY]]]     MYSQL_SOCKET (or MYSQL_HOST, MYSQL_PORT), MYSQL_USER,
 *                                                  MYSQL_PASSWORD, MYSQL_DATABASE
 *
 * Prints the least wall time of the rounds, rows/s, and the CPU time of this process. `binds` and
 * `callback` also print a checksum of what they saw, which has to be the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mysql.h>

enum { COLUMNS_MAX = 256, VALUE_MAX = 1 << 16 };

struct seen {
    uint64_t rows;
    uint64_t bytes; /* of values of varying length */
    uint64_t nulls;
    uint64_t sum; /* of the first eight bytes of each integer */
    uint64_t columns;
    enum enum_field_types types[COLUMNS_MAX];
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "mysql-fetch: %s: %s\n", what, why);
    exit(1);
}

/* Bytes of a value whose type has a fixed width on the wire; 0: a length stands before it. */
static size_t wire_width(enum enum_field_types type)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
        return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return 2;
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_FLOAT:
        return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

static bool is_temporal(enum enum_field_types type)
{
    return type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_DATETIME ||
           type == MYSQL_TYPE_TIMESTAMP || type == MYSQL_TYPE_TIME;
}

static void see_fixed(struct seen *seen, const void *value, size_t width)
{
    uint64_t number = 0;
    memcpy(&number, value, width);
    seen->sum += number;
}

static uint64_t read_length(const unsigned char **at)
{
    const unsigned char *from = *at;
    uint64_t length = 0;
    size_t width = from[0] < 251 ? 0 : from[0] == 252 ? 2 : from[0] == 253 ? 3 : 8;
    if (width == 0)
        length = from[0];
    else
        memcpy(&length, from + 1, width);
    *at = from + 1 + width;
    return length;
}

/* The library calls this for each column of a row, in order; it has to move *row past the value. */
static void see_column(void *data, unsigned int column, unsigned char **row)
{
    struct seen *seen = data;
    if (row == NULL) {
        seen->nulls++;
        return;
    }
    enum enum_field_types type = seen->types[column];
    size_t width = wire_width(type);
    if (width > 0) {
        see_fixed(seen, *row, width);
        *row += width;
        return;
    }
    const unsigned char *at = *row;
    uint64_t length = read_length(&at);
    if (!is_temporal(type))
        seen->bytes += length;
    *row = (unsigned char *)(uintptr_t)(at + length);
}

static MYSQL_STMT *execute(MYSQL *mysql, const char *query, struct seen *seen)
{
    MYSQL_STMT *statement = mysql_stmt_init(mysql);
    if (statement == NULL || mysql_stmt_prepare(statement, query, strlen(query)) != 0 ||
        mysql_stmt_execute(statement) != 0)
        fail("query", statement == NULL ? "out of memory" : mysql_stmt_error(statement));
    MYSQL_RES *metadata = mysql_stmt_result_metadata(statement);
    seen->columns = mysql_stmt_field_count(statement);
    if (metadata == NULL || seen->columns > COLUMNS_MAX)
        fail("query", "no result, or too many columns");
    for (unsigned int i = 0; i < seen->columns; i++)
        seen->types[i] = mysql_fetch_field_direct(metadata, i)->type;
    mysql_free_result(metadata);
    return statement;
}

static void finish(MYSQL_STMT *statement, int status)
{
    if (status != MYSQL_NO_DATA)
        fail("fetch", status == 1 ? mysql_stmt_error(statement) : "a value was cut off");
    mysql_stmt_close(statement);
}

static void fetch_text(MYSQL *mysql, const char *query, struct seen *seen)
{
    if (mysql_query(mysql, query) != 0)
        fail("query", mysql_error(mysql));
    MYSQL_RES *result = mysql_use_result(mysql);
    if (result == NULL)
        fail("query", mysql_error(mysql));
    while (mysql_fetch_row(result) != NULL)
        seen->rows++;
    if (mysql_errno(mysql) != 0)
        fail("fetch", mysql_error(mysql));
    mysql_free_result(result);
}

static void fetch_skip(MYSQL *mysql, const char *query, struct seen *seen)
{
    MYSQL_STMT *statement = execute(mysql, query, seen);
    int status;
    while ((status = mysql_stmt_fetch(statement)) == 0)
        seen->rows++;
    finish(statement, status);
}

static void fetch_callback(MYSQL *mysql, const char *query, struct seen *seen)
{
    MYSQL_STMT *statement = execute(mysql, query, seen);
    if (mysql_stmt_attr_set(statement, STMT_ATTR_CB_USER_DATA, seen) != 0 ||
        mysql_stmt_attr_set(statement, STMT_ATTR_CB_RESULT, (const void *)see_column) != 0)
        fail("callback", mysql_stmt_error(statement));
    int status;
    while ((status = mysql_stmt_fetch(statement)) == 0)
        seen->rows++;
    finish(statement, status);
}

struct cell {
    unsigned long length;
    my_bool null;
    my_bool cut;
    union {
        MYSQL_TIME time;
        char *bytes;
        uint64_t number;
    } value;
};

static void bind_column(MYSQL_BIND *bind, struct cell *cell, enum enum_field_types type)
{
    memset(bind, 0, sizeof *bind);
    bind->buffer_type = type;
    bind->length = &cell->length;
    bind->is_null = &cell->null;
    bind->error = &cell->cut;
    bind->buffer = &cell->value;
    bind->buffer_length = sizeof cell->value;
    if (wire_width(type) == 0 && !is_temporal(type)) {
        cell->value.bytes = malloc(VALUE_MAX);
        if (cell->value.bytes == NULL)
            fail("bind", "out of memory");
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer = cell->value.bytes;
        bind->buffer_length = VALUE_MAX;
    }
}

static void see_row(struct seen *seen, struct cell *cells)
{
    for (unsigned int i = 0; i < seen->columns; i++) {
        size_t width = wire_width(seen->types[i]);
        if (cells[i].null)
            seen->nulls++;
        else if (width > 0)
            see_fixed(seen, &cells[i].value, width);
        else if (!is_temporal(seen->types[i]))
            seen->bytes += cells[i].length;
    }
    seen->rows++;
}

static void fetch_binds(MYSQL *mysql, const char *query, struct seen *seen)
{
    MYSQL_STMT *statement = execute(mysql, query, seen);
    MYSQL_BIND *binds = calloc(seen->columns, sizeof *binds);
    struct cell *cells = calloc(seen->columns, sizeof *cells);
    if (binds == NULL || cells == NULL)
        fail("bind", "out of memory");
    for (unsigned int i = 0; i < seen->columns; i++)
        bind_column(&binds[i], &cells[i], seen->types[i]);
    if (mysql_stmt_bind_result(statement, binds) != 0)
        fail("bind", mysql_stmt_error(statement));
    int status;
    while ((status = mysql_stmt_fetch(statement)) == 0)
        see_row(seen, cells);
    finish(statement, status);
    for (unsigned int i = 0; i < seen->columns; i++)
        if (binds[i].buffer != &cells[i].value)
            free(binds[i].buffer);
    free(cells);
    free(binds);
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static MYSQL *open_connection(void)
{
    const char *port = getenv("MYSQL_PORT");
    MYSQL *mysql = mysql_init(NULL);
    if (mysql == NULL)
        fail("connect", "out of memory");
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (mysql_real_connect(mysql, getenv("MYSQL_SOCKET") != NULL ? NULL : getenv("MYSQL_HOST"), getenv("MYSQL_USER"),
                           getenv("MYSQL_PASSWORD"), getenv("MYSQL_DATABASE"),
                           port == NULL ? 0 : (unsigned int)strtoul(port, NULL, 10),
                           getenv("MYSQL_SOCKET"), 0) == NULL)
        fail("connect", mysql_error(mysql));
    return mysql;
}

struct way {
    const char *name;
    void (*fetch)(MYSQL *, const char *, struct seen *);
    double wall, cpu;
    struct seen seen;
};

static void measure(struct way *way, MYSQL *mysql, const char *query)
{
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    way->seen = (struct seen){.rows = 0};
    way->fetch(mysql, query, &way->seen);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    way->wall = way->wall > 0 && way->wall < wall ? way->wall : wall;
    way->cpu = way->cpu > 0 && way->cpu < cpu ? way->cpu : cpu;
}

int main(int argc, char **argv)
{
    struct way ways[] = {{.name = "text", .fetch = fetch_text},
                         {.name = "skip", .fetch = fetch_skip},
                         {.name = "binds", .fetch = fetch_binds},
                         {.name = "callback", .fetch = fetch_callback}};
    const size_t count = sizeof ways / sizeof ways[0];
    const char *query = argc > 1 ? argv[1] : "SELECT * FROM orders";
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 3;
    const char *only = argc > 3 ? argv[3] : NULL;

    MYSQL *mysql = open_connection();
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < count; i++)
            if (only == NULL || strcmp(only, ways[i].name) == 0)
                measure(&ways[i], mysql, query);
    mysql_close(mysql);
    mysql_library_end();

    printf("%-10s%9s%9s%12s%12s\n", "", "wall s", "CPU s", "rows/s", "rows");
    for (size_t i = 0; i < count; i++)
        if (only == NULL || strcmp(only, ways[i].name) == 0)
            printf("%-10s%9.2f%9.2f%12.0f%12ju\n", ways[i].name, ways[i].wall, ways[i].cpu,
                   (double)ways[i].seen.rows / ways[i].wall, (uintmax_t)ways[i].seen.rows);
    if (only != NULL)
        return 0;
    const struct seen *binds = &ways[2].seen, *callback = &ways[3].seen;
    bool same = binds->rows == callback->rows && binds->bytes == callback->bytes &&
                binds->nulls == callback->nulls && binds->sum == callback->sum;
    printf("binds and callback saw %s: %ju rows, %ju bytes of text, %ju nulls, checksum %ju\n",
           same ? "the same" : "different things", (uintmax_t)callback->rows,
           (uintmax_t)callback->bytes, (uintmax_t)callback->nulls, (uintmax_t)callback->sum);
    return same ? 0 : 1;
}
