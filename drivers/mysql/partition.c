/*
 * Splitting a table into ranges; see partition.h.
 *
 * Numbers and dates: the widest segment of the key is halved by its value, with a dive into the index for a key that is
 * there, until no segment has many rows; the server's estimates of rows in a range of the index say how many. So a key that
 * is full of gaps costs a few more dives, and no rows are read. Other columns have no middle: their cuts are found by
 * counting along the index.
 */
#include "partition.h"

#include <errno.h>
#include <stdlib.h>

/* A cut is as good as a segment is small: so many for each range. */
#define SEGMENTS_A_RANGE 8
#define MOST_SEGMENTS (MYSQL_PARTITIONS * SEGMENTS_A_RANGE)

int mysql_partitions_check(const struct osiris_host *host)
{
    static const char *const options[] = {"query", "limit", "order_by"};
    static const char *const reasons[] = {"a query cannot be split; use table",
                                          "no range knows how many rows the others have",
                                          "the ranges' rows come in any order"};

    if (host->get_integer(host, OSIRIS_CONFIG, "partitions", 1) <= 1)
        return 0;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (host->value_type(host, OSIRIS_CONFIG, options[i]) > OSIRIS_NULL)
            return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, NULL,
                               "\"partitions\" does not go with \"%s\": %s", options[i], reasons[i]);
    if (host->get_integer(host, OSIRIS_CONFIG, "offset", 0) > 0)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, NULL,
                           "\"partitions\" does not go with \"offset\": %s", reasons[1]);
    return 0;
}

struct segment {
    char *from;    /* its first key, as the text protocol gives it */
    uint64_t rows; /* from there to the next one's first: estimated */
    bool whole;    /* no key is between them */
};

struct splitter {
    const struct osiris_host *host;
    struct mysql_session *session;
    const struct mysql_table *table;
    const struct mysql_key_column *column;
    const char *index;
    struct segment segments[MOST_SEGMENTS + 1]; /* behind the last one: the highest key */
    size_t count;
};

static int out_of_memory(const struct mysql_session *session)
{
    return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

/* Asking the index. */

static bool is_counted(const struct mysql_key_column *column)
{
    return column->kind != MYSQL_KEY_NUMBER && column->kind != MYSQL_KEY_DATE &&
           column->kind != MYSQL_KEY_DATETIME;
}

/* "HEX(`k`)", where the value has to be seen byte by byte. */
static void add_value(struct sql *sql, const struct mysql_key_column *column)
{
    bool hex = column->kind == MYSQL_KEY_TEXT || column->kind == MYSQL_KEY_BYTES;

    sql_add(sql, hex ? "HEX(" : "");
    sql_add_identifier(sql, column->name);
    sql_add(sql, hex ? ")" : "");
}

static void add_from(struct sql *sql, const struct splitter *splitter)
{
    sql_add(sql, " FROM ");
    sql_add_table(sql, splitter->table->schema, splitter->table->name);
    sql_add(sql, " FORCE INDEX (");
    sql_add_identifier(sql, splitter->index);
    sql_add(sql, ") WHERE ");
    sql_add_identifier(sql, splitter->column->name);
}

/* " AND `k` < DATE'…'" behind add_from's column; a value without a literal is never a key of ours. */
static void add_bound(struct sql *sql, const struct splitter *splitter, const char *how,
                      const char *value)
{
    sql_add(sql, how);
    if (!mysql_add_literal(sql, splitter->column, value))
        sql->failed = true;
}

/* The first column of the first row: *value is owned, NULL without a row. -1: reported. */
static int ask_value(const struct splitter *splitter, struct sql *sql, char **value)
{
    MYSQL_RES *result = mysql_ask_sql(splitter->session, "split the table", sql);
    MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
    int status = result == NULL ? -1 : 0;

    *value = NULL;
    if (row != NULL && row[0] != NULL && (*value = strdup(row[0])) == NULL)
        status = out_of_memory(splitter->session);
    mysql_free_result(result);
    return status;
}

static int find_end(const struct splitter *splitter, const char *direction, char **value)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT ");
    add_value(&sql, splitter->column);
    add_from(&sql, splitter);
    sql_add(&sql, " IS NOT NULL ORDER BY ");
    sql_add_identifier(&sql, splitter->column->name);
    sql_format(&sql, " %s LIMIT 1", direction);
    return ask_value(splitter, &sql, value);
}

/* Rows from one key to before another (NULL: to the end), as the optimizer estimates them from the index. */
static int estimate(const struct splitter *splitter, const char *from, const char *to,
                    uint64_t *rows)
{
    struct sql sql = {0};

    sql_add(&sql, "EXPLAIN FORMAT=TRADITIONAL SELECT 1");
    add_from(&sql, splitter);
    add_bound(&sql, splitter, " >= ", from);
    if (to != NULL) {
        sql_add(&sql, " AND ");
        sql_add_identifier(&sql, splitter->column->name);
        add_bound(&sql, splitter, " < ", to);
    }
    MYSQL_RES *result = mysql_ask_sql(splitter->session, "split the table", &sql);
    MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
    *rows = 1;
    for (unsigned i = 0; row != NULL && i < mysql_num_fields(result); i++)
        if (strcmp(mysql_fetch_fields(result)[i].name, "rows") == 0 && row[i] != NULL)
            *rows = strtoull(row[i], NULL, 10);
    mysql_free_result(result);
    return result == NULL ? -1 : 0;
}

/* Numbers and dates. */

static void add_middle(struct sql *sql, const struct splitter *splitter, const char *from,
                       const char *to)
{
    if (splitter->column->kind == MYSQL_KEY_NUMBER) {
        add_bound(sql, splitter, "(CAST(", from);
        add_bound(sql, splitter, " AS DECIMAL(65,30)) + ", to);
        sql_add(sql, ") / 2");
        return;
    }
    add_bound(sql, splitter, "", from);
    add_bound(sql, splitter, " + INTERVAL TIMESTAMPDIFF(SECOND, ", from);
    add_bound(sql, splitter, ", ", to);
    sql_add(sql, splitter->column->kind == MYSQL_KEY_DATE ? ") DIV 172800 DAY" : ") DIV 2 SECOND");
}

/* A number's middle has to be one of the column's: the server computes it, and we compare with a literal. */
static int find_middle(const struct splitter *splitter, const char *from, const char *to,
                       char **middle)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT ");
    add_middle(&sql, splitter, from, to);
    return ask_value(splitter, &sql, middle);
}

/* The key next to the middle on one side. */
static int find_beside(const struct splitter *splitter, const char *low_how, const char *low,
                       const char *high_how, const char *high, const char *direction, char **key)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT ");
    add_value(&sql, splitter->column);
    add_from(&sql, splitter);
    add_bound(&sql, splitter, low_how, low);
    sql_add(&sql, " AND ");
    sql_add_identifier(&sql, splitter->column->name);
    add_bound(&sql, splitter, high_how, high);
    sql_add(&sql, " ORDER BY ");
    sql_add_identifier(&sql, splitter->column->name);
    sql_format(&sql, " %s LIMIT 1", direction);
    return ask_value(splitter, &sql, key);
}

static bool has_literal(const struct splitter *splitter, const char *value)
{
    struct sql sql = {0};
    bool has = mysql_add_literal(&sql, splitter->column, value);

    sql_clear(&sql);
    return has;
}

/* A key between the two, near their middle; NULL: there is none that could be a cut. */
static int find_between(const struct splitter *splitter, const char *from, const char *to,
                        char **key)
{
    char *middle;
    int result;

    *key = NULL;
    if (find_middle(splitter, from, to, &middle) < 0)
        return -1;
    if (middle == NULL)
        return 0;
    result = find_beside(splitter, " > ", from, " <= ", middle, "DESC", key);
    if (result == 0 && *key == NULL)
        result = find_beside(splitter, " > ", middle, " < ", to, "ASC", key);
    free(middle);
    if (*key != NULL && !has_literal(splitter, *key)) {
        free(*key);
        *key = NULL;
    }
    return result;
}

static size_t largest(const struct splitter *splitter)
{
    size_t best = splitter->count;
    uint64_t rows = 0;

    for (size_t i = 0; i < splitter->count; i++)
        if (!splitter->segments[i].whole && splitter->segments[i].rows > rows) {
            best = i;
            rows = splitter->segments[i].rows;
        }
    return best;
}

static uint64_t total_rows(const struct splitter *splitter)
{
    uint64_t total = 0;

    for (size_t i = 0; i < splitter->count; i++)
        total += splitter->segments[i].rows;
    return total;
}

/* The key becomes the first of a new segment behind `at`. */
static int split_segment(struct splitter *splitter, size_t at, char *key)
{
    struct segment *segments = splitter->segments;

    memmove(&segments[at + 2], &segments[at + 1], (splitter->count - at) * sizeof *segments);
    segments[at + 1] = (struct segment){.from = key};
    splitter->count++;
    if (estimate(splitter, segments[at].from, key, &segments[at].rows) < 0)
        return -1;
    return estimate(splitter, key, segments[at + 2].from, &segments[at + 1].rows);
}

/* The highest key is a segment, too: it may have many rows. */
static int end_segments(struct splitter *splitter)
{
    struct segment *last = &splitter->segments[splitter->count];

    if (strcmp(last->from, splitter->segments[0].from) == 0)
        return 0;
    splitter->count++;
    return estimate(splitter, last->from, NULL, &last->rows);
}

static int split_by_value(struct splitter *splitter, size_t wanted)
{
    size_t most = wanted * SEGMENTS_A_RANGE - 1;

    while (splitter->count < most) {
        size_t at = largest(splitter);
        char *key;
        if (at == splitter->count ||
            splitter->segments[at].rows <= total_rows(splitter) / (most * 2))
            break;
        if (find_between(splitter, splitter->segments[at].from, splitter->segments[at + 1].from,
                         &key) < 0)
            return -1;
        if (key == NULL)
            splitter->segments[at].whole = true;
        else if (split_segment(splitter, at, key) < 0)
            return -1;
    }
    return end_segments(splitter);
}

/* Other columns. */

static int count_rows(const struct splitter *splitter, uint64_t *rows)
{
    struct sql sql = {0};
    char *text;

    sql_add(&sql, "SELECT COUNT(*)");
    add_from(&sql, splitter);
    sql_add(&sql, " IS NOT NULL");
    if (ask_value(splitter, &sql, &text) < 0)
        return -1;
    *rows = text == NULL ? 0 : strtoull(text, NULL, 10);
    free(text);
    return 0;
}

/* The key at a rank, if the server finds it higher than `than`; else NULL. */
static int find_rank(const struct splitter *splitter, uint64_t rank, const char *than, char **key)
{
    struct sql sql = {0};

    sql_add(&sql, "SELECT IF(");
    sql_add_identifier(&sql, splitter->column->name);
    add_bound(&sql, splitter, " > ", than);
    sql_add(&sql, ", ");
    add_value(&sql, splitter->column);
    sql_add(&sql, ", NULL)");
    add_from(&sql, splitter);
    sql_add(&sql, " IS NOT NULL ORDER BY ");
    sql_add_identifier(&sql, splitter->column->name);
    sql_format(&sql, " LIMIT 1 OFFSET %llu", (unsigned long long)rank);
    return ask_value(splitter, &sql, key);
}

/* One segment a range. */
static int split_by_rank(struct splitter *splitter, size_t wanted)
{
    uint64_t rows;

    if (count_rows(splitter, &rows) < 0)
        return -1;
    for (size_t i = 1; i < wanted; i++) {
        char *key;
        struct segment *last = &splitter->segments[splitter->count - 1];
        if (find_rank(splitter, rows / wanted * i + rows % wanted * i / wanted, last->from, &key) < 0)
            return -1;
        if (key == NULL)
            continue;
        last[2] = last[1];
        last[1] = (struct segment){.from = key, .rows = 1};
        splitter->count++;
    }
    return 0;
}

static int find_row_bytes(const struct splitter *splitter, uint64_t *bytes)
{
    struct sql sql = {0};
    char *text;

    sql_add(&sql, "SELECT AVG_ROW_LENGTH FROM information_schema.TABLES WHERE ");
    mysql_add_table_condition(&sql, splitter->table);
    if (ask_value(splitter, &sql, &text) < 0)
        return -1;
    *bytes = text == NULL ? 0 : strtoull(text, NULL, 10);
    free(text);
    return 0;
}

/* Cutting. */

static int add_range(const struct splitter *splitter, const char *from, const char *to,
                     char **condition)
{
    struct sql sql = {0};

    if (from != NULL) {
        sql_add_identifier(&sql, splitter->column->name);
        add_bound(&sql, splitter, " >= ", from);
    }
    sql_add(&sql, from != NULL && to != NULL ? " AND " : "");
    if (to != NULL) {
        sql_add_identifier(&sql, splitter->column->name);
        add_bound(&sql, splitter, " < ", to);
    }
    /* Of a range without a lower end, where what is unknown belongs. */
    if (from == NULL && splitter->column->nullable) {
        sql_add(&sql, " OR ");
        sql_add_identifier(&sql, splitter->column->name);
        sql_add(&sql, " IS NULL");
    }
    *condition = sql_take(&sql);
    return *condition == NULL ? out_of_memory(splitter->session) : 0;
}

/* The segments that ranges begin with, so that each range has about as many rows. Returns how many. */
static size_t choose_cuts(const struct splitter *splitter, size_t wanted, const char **cuts)
{
    uint64_t total = total_rows(splitter), before = 0;
    size_t count = 0;

    for (size_t i = 1; i < splitter->count && count + 1 < wanted; i++) {
        uint64_t rows = splitter->segments[i - 1].rows;
        before += rows;
        uint64_t target = total / wanted * (count + 1);
        uint64_t next = before + splitter->segments[i].rows;
        bool is_last_chance = splitter->count - i <= wanted - 1 - count;
        bool is_nearer = next > target && target - before <= next - target;
        if (is_last_chance || before >= target || is_nearer)
            cuts[count++] = splitter->segments[i].from;
    }
    return count;
}

static int make_ranges(const struct splitter *splitter, size_t wanted,
                       struct mysql_partitions *partitions)
{
    const char *cuts[MYSQL_PARTITIONS];
    size_t count = choose_cuts(splitter, wanted, cuts);

    partitions->count = count + 1;
    for (size_t i = 0; count > 0 && i <= count; i++)
        if (add_range(splitter, i == 0 ? NULL : cuts[i - 1], i == count ? NULL : cuts[i],
                      &partitions->conditions[i]) < 0)
            return -1;
    return 0;
}

/* The lowest key begins the only segment, the highest ends it. Without keys there is no segment. */
static int begin(struct splitter *splitter)
{
    char **from = &splitter->segments[0].from, **to = &splitter->segments[1].from;
    enum mysql_key_kind kind = splitter->column->kind;

    if (find_end(splitter, "ASC", from) < 0 || find_end(splitter, "DESC", to) < 0)
        return -1;
    /* Dates that do not exist have no literal, but they are lower than all others that matter. */
    if (*from != NULL && !has_literal(splitter, *from) &&
        (kind == MYSQL_KEY_DATE || kind == MYSQL_KEY_DATETIME)) {
        free(*from);
        *from = strdup(kind == MYSQL_KEY_DATE ? "0001-01-01" : "0001-01-01 00:00:00");
        if (*from == NULL)
            return out_of_memory(splitter->session);
    }
    if (!has_literal(splitter, *from) || !has_literal(splitter, *to))
        return 0;
    splitter->count = 1;
    return is_counted(splitter->column)
               ? 0
               : estimate(splitter, *from, *to, &splitter->segments[0].rows);
}

static int split(struct splitter *splitter, size_t wanted, struct mysql_partitions *partitions)
{
    if (begin(splitter) < 0)
        return -1;
    if (splitter->count == 0)
        return 0;
    int result = is_counted(splitter->column) ? split_by_rank(splitter, wanted)
                                              : split_by_value(splitter, wanted);
    return result < 0 ? -1 : make_ranges(splitter, wanted, partitions);
}

/* The column. */

static int find_named(const struct osiris_host *host, struct mysql_session *session,
                      const struct mysql_table *table, const char *name, struct mysql_key *key)
{
    if (mysql_find_column(session, table, name, key) < 0)
        return -1;
    if (key->count == 0)
        return osiris_fail(host, OSIRIS_ERROR_NOT_FOUND, 0, 0, NULL, "check partition_on",
                           "the table \"%s\" has no column \"%s\"", table->name, name);
    if (key->columns[0].kind == MYSQL_KEY_UNUSABLE)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "name a column of integers, decimals, dates, times, text or bytes",
                           "the table \"%s\" cannot be split on \"%s\": its type has no ranges",
                           table->name, name);
    if (key->name == NULL)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "name a column that an index begins with, or make such an index",
                           "the table \"%s\" cannot be split on \"%s\": no index begins with it, so each "
                           "range would read the whole table",
                           table->name, name);
    return 0;
}

static int find_default(const struct osiris_host *host, struct mysql_session *session,
                        const struct mysql_table *table, struct mysql_key *key)
{
    if (mysql_find_unique_key(session, table, key) < 0)
        return -1;
    if (key->count > 0)
        return 0;
    return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, "name an indexed column with partition_on",
                       "the table \"%s\" cannot be split: it has no unique key without nullable "
                       "columns",
                       table->name);
}

int mysql_partitions_find(const struct osiris_host *host, struct mysql_session *session,
                          size_t wanted, struct mysql_partitions *partitions)
{
    const char *name = host->get_string(host, OSIRIS_CONFIG, "partition_on", NULL);
    const struct mysql_table table = mysql_table_of(host);
    struct splitter *splitter = calloc(1, sizeof *splitter);
    int result;

    *partitions = (struct mysql_partitions){.count = 1};
    if (splitter == NULL)
        return out_of_memory(session);
    result = name != NULL ? find_named(host, session, &table, name, &partitions->key)
                          : find_default(host, session, &table, &partitions->key);
    if (result == 0) {
        splitter->host = host;
        splitter->session = session;
        splitter->table = &table;
        splitter->column = &partitions->key.columns[0];
        splitter->index = partitions->key.name;
        result = split(splitter, wanted < MYSQL_PARTITIONS ? wanted : MYSQL_PARTITIONS, partitions);
        if (result == 0)
            result = find_row_bytes(splitter, &partitions->row_bytes);
    }
    for (size_t i = 0; i <= MOST_SEGMENTS; i++)
        free(splitter->segments[i].from);
    free(splitter);
    return result;
}

void mysql_partitions_clear(struct mysql_partitions *partitions)
{
    for (size_t i = 0; i < MYSQL_PARTITIONS; i++)
        free(partitions->conditions[i]);
    mysql_key_clear(&partitions->key);
    *partitions = (struct mysql_partitions){0};
}
