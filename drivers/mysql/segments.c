/* A key column's values in segments; see segments.h. */
#include "segments.h"

#include <stdlib.h>

/* The smaller the segments, the more even the ranges: the number of segments for each range. */
#define SEGMENTS_A_RANGE 8

static int out_of_memory(const struct mysql_session *session)
{
    return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

/* Index look-ups. */

static bool is_counted(const struct mysql_key_column *column)
{
    return column->kind != MYSQL_KEY_NUMBER && column->kind != MYSQL_KEY_YEAR &&
           column->kind != MYSQL_KEY_DATE && column->kind != MYSQL_KEY_DATETIME;
}

/* "HEX(`k`)", where the exact bytes are needed. */
static void add_value(struct sql *sql, const struct mysql_key_column *column)
{
    bool hex = column->kind == MYSQL_KEY_TEXT || column->kind == MYSQL_KEY_BYTES;

    sql_add(sql, hex ? "HEX(" : "");
    sql_add_identifier(sql, column->name);
    sql_add(sql, hex ? ")" : "");
}

static void add_from(struct sql *sql, const struct mysql_segments *segments)
{
    sql_add(sql, " FROM ");
    sql_add_table(sql, segments->table->schema, segments->table->name);
    sql_add(sql, " FORCE INDEX (");
    sql_add_identifier(sql, segments->index);
    sql_add(sql, ") WHERE ");
    sql_add_identifier(sql, segments->column->name);
}

/* A value without a literal is never used as a key. */
static void add_bound(struct sql *sql, const struct mysql_key_column *column, const char *how,
                      const char *value)
{
    sql_add(sql, how);
    if (!mysql_add_literal(sql, column, value))
        sql->failed = true;
}

void mysql_add_comparison(struct sql *sql, const struct mysql_key_column *column, const char *how,
                          const char *value)
{
    sql_add_identifier(sql, column->name);
    add_bound(sql, column, how, value);
}

/* Adds SQL, after another condition, that selects only keys with a literal. The range comes first, because the index can
 * seek to it: most dates that do not exist are 0000-00-00. */
static void add_only_real(struct sql *sql, const struct mysql_key_column *column)
{
    if (column->kind == MYSQL_KEY_YEAR) {
        sql_add(sql, " AND ");
        mysql_add_comparison(sql, column, " >= ", "1901");
    }
    if (column->kind != MYSQL_KEY_DATE && column->kind != MYSQL_KEY_DATETIME)
        return;
    sql_add(sql, " AND ");
    mysql_add_comparison(sql, column, " >= ",
                         column->kind == MYSQL_KEY_DATE ? "0001-01-01" : "0001-01-01 00:00:00");
    sql_add(sql, " AND DAYOFMONTH(");
    sql_add_identifier(sql, column->name);
    sql_add(sql, ") BETWEEN 1 AND DAYOFMONTH(LAST_DAY(");
    sql_add_identifier(sql, column->name);
    sql_add(sql, "))");
}

/* The first column of the first row: *value is owned, NULL without a row. -1: reported. */
static int ask_value(const struct mysql_segments *segments, struct sql *sql, char **value)
{
    MYSQL_RES *result = mysql_ask_sql(segments->session, "split the table", sql);
    MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
    int status = result == NULL ? -1 : 0;

    *value = NULL;
    if (row != NULL && row[0] != NULL && (*value = strdup(row[0])) == NULL)
        status = out_of_memory(segments->session);
    mysql_free_result(result);
    return status;
}

static int find_end(const struct mysql_segments *segments, const char *direction, char **value)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT ");
    add_value(&sql, segments->column);
    add_from(&sql, segments);
    sql_add(&sql, " IS NOT NULL");
    add_only_real(&sql, segments->column);
    sql_add(&sql, " ORDER BY ");
    sql_add_identifier(&sql, segments->column->name);
    sql_format(&sql, " %s LIMIT 1", direction);
    return ask_value(segments, &sql, value);
}

/* Rows from one key up to another, exclusive (NULL: to the end), as the optimizer estimates them from the index. Without the
 * first: those below the second, including NULL. */
static int estimate(const struct mysql_segments *segments, const char *from, const char *to,
                    uint64_t *rows)
{
    struct sql sql = {0};

    sql_add(&sql, "EXPLAIN FORMAT=TRADITIONAL SELECT 1");
    add_from(&sql, segments);
    if (from != NULL)
        add_bound(&sql, segments->column, " >= ", from);
    else
        sql_add(&sql, " IS NULL");
    if (to != NULL) {
        sql_add(&sql, from != NULL ? " AND " : " OR ");
        mysql_add_comparison(&sql, segments->column, " < ", to);
    }
    MYSQL_RES *result = mysql_ask_sql(segments->session, "split the table", &sql);
    MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
    *rows = 1;
    for (unsigned i = 0; row != NULL && i < mysql_num_fields(result); i++)
        if (strcmp(mysql_fetch_fields(result)[i].name, "rows") == 0 && row[i] != NULL)
            *rows = strtoull(row[i], NULL, 10);
    mysql_free_result(result);
    return result == NULL ? -1 : 0;
}

/* Numbers and dates. */

static void add_middle(struct sql *sql, const struct mysql_segments *segments, const char *from,
                       const char *to)
{
    if (segments->column->kind == MYSQL_KEY_YEAR) {
        add_bound(sql, segments->column, "(", from);
        add_bound(sql, segments->column, " + ", to);
        sql_add(sql, ") DIV 2");
        return;
    }
    if (segments->column->kind == MYSQL_KEY_NUMBER) {
        add_bound(sql, segments->column, "(CAST(", from);
        add_bound(sql, segments->column, " AS DECIMAL(65,30)) + ", to);
        sql_add(sql, ") / 2");
        return;
    }
    add_bound(sql, segments->column, "", from);
    add_bound(sql, segments->column, " + INTERVAL TIMESTAMPDIFF(SECOND, ", from);
    add_bound(sql, segments->column, ", ", to);
    sql_add(sql, segments->column->kind == MYSQL_KEY_DATE ? ") DIV 172800 DAY" : ") DIV 2 SECOND");
}

/* The middle must be a value of the column's type: the server computes it, and we compare with a literal. */
static int find_middle(const struct mysql_segments *segments, const char *from, const char *to,
                       char **middle)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT ");
    add_middle(&sql, segments, from, to);
    return ask_value(segments, &sql, middle);
}

/* The key nearest to the middle on one side. */
static int find_nearest(const struct mysql_segments *segments, const char *low_how, const char *low,
                       const char *high_how, const char *high, const char *direction, char **key)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT ");
    add_value(&sql, segments->column);
    add_from(&sql, segments);
    add_bound(&sql, segments->column, low_how, low);
    sql_add(&sql, " AND ");
    mysql_add_comparison(&sql, segments->column, high_how, high);
    add_only_real(&sql, segments->column);
    sql_add(&sql, " ORDER BY ");
    sql_add_identifier(&sql, segments->column->name);
    sql_format(&sql, " %s LIMIT 1", direction);
    return ask_value(segments, &sql, key);
}

static bool has_literal(const struct mysql_segments *segments, const char *value)
{
    struct sql sql = {0};
    bool has = mysql_add_literal(&sql, segments->column, value);

    sql_clear(&sql);
    return has;
}

/* A key between the two, near their middle; NULL: there is none. */
static int find_between(const struct mysql_segments *segments, const char *from, const char *to,
                        char **key)
{
    char *middle;
    int result;

    *key = NULL;
    if (find_middle(segments, from, to, &middle) < 0)
        return -1;
    if (middle == NULL)
        return 0;
    result = find_nearest(segments, " > ", from, " <= ", middle, "DESC", key);
    if (result == 0 && *key == NULL)
        result = find_nearest(segments, " > ", middle, " < ", to, "ASC", key);
    free(middle);
    if (*key != NULL && !has_literal(segments, *key)) {
        free(*key);
        *key = NULL;
    }
    return result;
}

static size_t largest(const struct mysql_segments *segments)
{
    size_t best = segments->count;
    uint64_t rows = 0;

    for (size_t i = 0; i < segments->count; i++)
        if (!segments->items[i].whole && segments->items[i].rows > rows) {
            best = i;
            rows = segments->items[i].rows;
        }
    return best;
}

static uint64_t total_rows(const struct mysql_segments *segments)
{
    uint64_t total = 0;

    for (size_t i = 0; i < segments->count; i++)
        total += segments->items[i].rows;
    return total;
}

/* The key becomes the first of a new segment after `at`. */
static int split_segment(struct mysql_segments *segments, size_t at, char *key)
{
    struct mysql_segment *items = segments->items;

    memmove(&items[at + 2], &items[at + 1], (segments->count - at) * sizeof *items);
    items[at + 1] = (struct mysql_segment){.from = key};
    segments->count++;
    if (estimate(segments, items[at].from, key, &items[at].rows) < 0)
        return -1;
    return estimate(segments, key, items[at + 2].from, &items[at + 1].rows);
}

/* The highest key is a segment, too: it may have many rows. */
static int end_segments(struct mysql_segments *segments)
{
    struct mysql_segment *last = &segments->items[segments->count];

    if (strcmp(last->from, segments->items[0].from) == 0)
        return 0;
    segments->count++;
    return estimate(segments, last->from, NULL, &last->rows);
}

static int split_by_value(struct mysql_segments *segments, size_t wanted)
{
    size_t most = wanted * SEGMENTS_A_RANGE - 2; /* plus two at the ends */

    while (segments->count < most) {
        size_t at = largest(segments);
        char *key;
        if (at == segments->count ||
            segments->items[at].rows <= total_rows(segments) / (most * 2))
            break;
        if (find_between(segments, segments->items[at].from, segments->items[at + 1].from,
                         &key) < 0)
            return -1;
        if (key == NULL)
            segments->items[at].whole = true;
        else if (split_segment(segments, at, key) < 0)
            return -1;
    }
    return end_segments(segments);
}

/* Other columns. */

static int count_rows(const struct mysql_segments *segments, uint64_t *rows)
{
    struct sql sql = {0};
    char *text;

    sql_add(&sql, "SELECT COUNT(*)");
    add_from(&sql, segments);
    sql_add(&sql, " IS NOT NULL");
    if (ask_value(segments, &sql, &text) < 0)
        return -1;
    *rows = text == NULL ? 0 : strtoull(text, NULL, 10);
    free(text);
    return 0;
}

/* The key at a rank, if the server considers it greater than `than`; else NULL. */
static int find_rank(const struct mysql_segments *segments, uint64_t rank, const char *than, char **key)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT IF(");
    mysql_add_comparison(&sql, segments->column, " > ", than);
    sql_add(&sql, ", ");
    add_value(&sql, segments->column);
    sql_add(&sql, ", NULL)");
    add_from(&sql, segments);
    sql_add(&sql, " IS NOT NULL ORDER BY ");
    sql_add_identifier(&sql, segments->column->name);
    sql_format(&sql, " LIMIT 1 OFFSET %llu", (unsigned long long)rank);
    return ask_value(segments, &sql, key);
}

/* One segment for each range. */
static int split_by_rank(struct mysql_segments *segments, size_t wanted)
{
    uint64_t rows;

    if (count_rows(segments, &rows) < 0)
        return -1;
    for (size_t i = 1; i < wanted; i++) {
        char *key;
        struct mysql_segment *last = &segments->items[segments->count - 1];
        if (find_rank(segments, rows / wanted * i + rows % wanted * i / wanted, last->from, &key) < 0)
            return -1;
        if (key == NULL)
            continue;
        last[2] = last[1];
        last[1] = (struct mysql_segment){.from = key, .rows = 1};
        segments->count++;
    }
    return 0;
}

/* Whether a row is below a key, or NULL; reads at most one row. */
static int has_below(const struct mysql_segments *segments, const char *key, bool *has)
{
    struct sql sql = {0};
    char *text;

    sql_add(&sql, "SELECT 1");
    add_from(&sql, segments);
    sql_add(&sql, " IS NULL OR ");
    mysql_add_comparison(&sql, segments->column, " < ", key);
    sql_add(&sql, " LIMIT 1");
    if (ask_value(segments, &sql, &text) < 0)
        return -1;
    *has = text != NULL;
    free(text);
    return 0;
}

/* What is below the lowest key with a literal is a segment, too: most rows of a table may have no date. */
static int add_lowest(struct mysql_segments *segments)
{
    struct mysql_segment lowest = {0};
    bool has;

    if (has_below(segments, segments->items[0].from, &has) < 0)
        return -1;
    if (!has)
        return 0;
    if (estimate(segments, NULL, segments->items[0].from, &lowest.rows) < 0)
        return -1;
    memmove(&segments->items[1], &segments->items[0], segments->count * sizeof lowest);
    segments->items[0] = lowest;
    segments->count++;
    return 0;
}

/* The lowest key starts the only segment, the highest ends it. Without keys there is no segment. */
static int begin(struct mysql_segments *segments)
{
    char **from = &segments->items[0].from, **to = &segments->items[1].from;

    if (find_end(segments, "ASC", from) < 0 || find_end(segments, "DESC", to) < 0)
        return -1;
    if (!has_literal(segments, *from) || !has_literal(segments, *to))
        return 0;
    segments->count = 1;
    return is_counted(segments->column) ? 0
                                        : estimate(segments, *from, *to, &segments->items[0].rows);
}

int mysql_segments_find(struct mysql_segments *segments, size_t wanted)
{
    if (begin(segments) < 0)
        return -1;
    if (segments->count == 0)
        return 0;
    if (is_counted(segments->column))
        return split_by_rank(segments, wanted);
    return split_by_value(segments, wanted) < 0 ? -1 : add_lowest(segments);
}

void mysql_segments_clear(struct mysql_segments *segments)
{
    for (size_t i = 0; i <= MYSQL_SEGMENTS; i++)
        free(segments->items[i].from);
}
