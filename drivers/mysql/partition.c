/* Splitting a table into ranges; see partition.h. */
#include "partition.h"

#include <stdlib.h>

#include "segments.h"

int mysql_partitions_check(const struct osiris_host *host)
{
    static const char *const options[] = {"query", "limit", "order_by"};
    static const char *const reasons[] = {"a query cannot be split; use table",
                                          "the ranges do not know each other's rows",
                                          "the rows of the ranges arrive in any order"};

    if (host->get_integer(host, OSIRIS_CONFIG, "partitions", 1) <= 1)
        return 0;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (host->value_type(host, OSIRIS_CONFIG, options[i]) > OSIRIS_NULL)
            return osiris_refuse(host, "partitions", NULL,
                                 "\"partitions\" cannot be combined with \"%s\": %s", options[i],
                                 reasons[i]);
    if (host->get_integer(host, OSIRIS_CONFIG, "offset", 0) > 0)
        return osiris_refuse(host, "partitions", NULL,
                             "\"partitions\" cannot be combined with \"offset\": %s", reasons[1]);
    return 0;
}

static int out_of_memory(const struct mysql_session *session)
{
    return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
}

/* Cutting. */

static uint64_t total_rows(const struct mysql_segments *segments)
{
    uint64_t total = 0;

    for (size_t i = 0; i < segments->count; i++)
        total += segments->items[i].rows;
    return total;
}

static int add_range(const struct mysql_segments *segments, const char *from, const char *to,
                     char **condition)
{
    struct sql sql = {0};

    if (from != NULL)
        mysql_add_comparison(&sql, segments->column, " >= ", from);
    sql_add(&sql, from != NULL && to != NULL ? " AND " : "");
    if (to != NULL)
        mysql_add_comparison(&sql, segments->column, " < ", to);
    /* A range without a lower end includes NULL. */
    if (from == NULL && segments->column->nullable) {
        sql_add(&sql, " OR ");
        sql_add_identifier(&sql, segments->column->name);
        sql_add(&sql, " IS NULL");
    }
    *condition = sql_take(&sql);
    return *condition == NULL ? out_of_memory(segments->session) : 0;
}

/* Chooses the segments that start a range, so that all ranges have about the same number of rows. Returns their number. */
static size_t choose_cuts(const struct mysql_segments *segments, size_t wanted, const char **cuts)
{
    uint64_t total = total_rows(segments), before = 0;
    size_t count = 0;

    for (size_t i = 1; i < segments->count && count + 1 < wanted; i++) {
        uint64_t rows = segments->items[i - 1].rows;
        before += rows;
        uint64_t target = total / wanted * (count + 1);
        uint64_t next = before + segments->items[i].rows;
        bool is_last_chance = segments->count - i <= wanted - 1 - count;
        bool is_nearer = next > target && target - before <= next - target;
        if (is_last_chance || before >= target || is_nearer)
            cuts[count++] = segments->items[i].from;
    }
    return count;
}

static int make_ranges(const struct mysql_segments *segments, size_t wanted,
                       struct mysql_partitions *partitions)
{
    const char *cuts[MYSQL_PARTITIONS];
    size_t count = choose_cuts(segments, wanted, cuts);

    partitions->count = count + 1;
    for (size_t i = 0; count > 0 && i <= count; i++)
        if (add_range(segments, i == 0 ? NULL : cuts[i - 1], i == count ? NULL : cuts[i],
                      &partitions->conditions[i]) < 0)
            return -1;
    return 0;
}

/* Properties of the table itself. */

static int ask_of_table(struct mysql_session *session, const struct mysql_table *table, const char *expression,
                        uint64_t *number)
{
    struct sql sql = {0};

    sql_format(&sql, "SELECT %s FROM information_schema.TABLES WHERE ", expression);
    mysql_add_table_condition(&sql, table);
    MYSQL_RES *result = mysql_ask_sql(session, "inspect the table", &sql);
    MYSQL_ROW row = result == NULL ? NULL : mysql_fetch_row(result);
    *number = row == NULL || row[0] == NULL ? 0 : strtoull(row[0], NULL, 10);
    mysql_free_result(result);
    return result == NULL ? -1 : 0;
}

/* The column. */

/* Always -1. The hint applies to a table; a view gets another one. */
static int fail_without_index(const struct osiris_host *host, struct mysql_session *session,
                              const struct mysql_table *table, const char *hint, const char *why)
{
    uint64_t is_view;

    if (ask_of_table(session, table, "TABLE_TYPE LIKE '%VIEW'", &is_view) < 0)
        return -1;
    if (is_view != 0)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "use the table that it reads, or omit partitions",
                           "the view \"%s\" cannot be split: a view has no index", table->name);
    return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, hint,
                       "the table \"%s\" cannot be split %s", table->name, why);
}

static int fail_named(const struct osiris_host *host, struct mysql_session *session, const struct mysql_table *table,
                      const char *name, const char *obstacle)
{
    static const char hint[] = "use a column that an index begins with (in full, not a prefix), or create such an index";
    struct sql why = {0};

    sql_format(&why, "on \"%s\": %s, so each range would read the whole table", name, obstacle);
    char *text = sql_take(&why);
    int result = text == NULL ? out_of_memory(session) : fail_without_index(host, session, table, hint, text);
    free(text);
    return result;
}

static int fail_default(const struct osiris_host *host, struct mysql_session *session, const struct mysql_table *table,
                        const char *obstacle)
{
    static const char hint[] = "set partition_on to an indexed column";
    struct sql why = {0};

    sql_format(&why, "by a key: %s", obstacle != NULL ? obstacle : "it has no unique key");
    char *text = sql_take(&why);
    int result = text == NULL ? out_of_memory(session) : fail_without_index(host, session, table, hint, text);
    free(text);
    return result;
}

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
                           "use a column of integers, decimals, dates, times, char, varchar, binary or varbinary",
                           "the table \"%s\" cannot be split on \"%s\": its type cannot be split into ranges",
                           table->name, name);
    return key->name != NULL ? 0 : fail_named(host, session, table, name, key->obstacle);
}

static int find_default(const struct osiris_host *host, struct mysql_session *session,
                        const struct mysql_table *table, struct mysql_key *key)
{
    if (mysql_find_unique_key(session, table, true, key) < 0)
        return -1;
    return key->count > 0 ? 0 : fail_default(host, session, table, key->obstacle);
}

static int split(struct mysql_session *session, const struct mysql_table *table, size_t wanted,
                 struct mysql_partitions *partitions)
{
    struct mysql_segments *segments = calloc(1, sizeof *segments);

    if (segments == NULL)
        return out_of_memory(session);
    segments->session = session;
    segments->table = table;
    segments->column = &partitions->key.columns[0];
    segments->index = partitions->key.name;
    int result = mysql_segments_find(segments, wanted);
    if (result == 0 && segments->count > 0)
        result = make_ranges(segments, wanted, partitions);
    mysql_segments_clear(segments);
    free(segments);
    return result;
}

int mysql_partitions_find(const struct osiris_host *host, struct mysql_session *session,
                          size_t wanted, struct mysql_partitions *partitions)
{
    const char *name = host->get_string(host, OSIRIS_CONFIG, "partition_on", NULL);
    const struct mysql_table table = mysql_table_of(host);

    *partitions = (struct mysql_partitions){.count = 1};
    if ((name != NULL ? find_named(host, session, &table, name, &partitions->key)
                      : find_default(host, session, &table, &partitions->key)) < 0 ||
        split(session, &table, wanted < MYSQL_PARTITIONS ? wanted : MYSQL_PARTITIONS,
              partitions) < 0)
        return -1;
    return ask_of_table(session, &table, "AVG_ROW_LENGTH", &partitions->row_bytes);
}

void mysql_partitions_clear(struct mysql_partitions *partitions)
{
    for (size_t i = 0; i < MYSQL_PARTITIONS; i++)
        free(partitions->conditions[i]);
    mysql_key_clear(&partitions->key);
    *partitions = (struct mysql_partitions){0};
}
