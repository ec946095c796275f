/* From the config to SQL; see mysql-driver.h. */
#include <stdio.h>
#include <stdlib.h>

#include "mysql-driver.h"

struct text {
    char *bytes;
    size_t length, capacity;
    bool failed;
};

static void add(struct text *text, const char *bytes, size_t length)
{
    if (text->failed)
        return;
    if (text->length + length + 1 > text->capacity) {
        size_t capacity = (text->length + length + 1) * 2;
        char *grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            text->failed = true;
            return;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

static void add_text(struct text *text, const char *string)
{
    add(text, string, strlen(string));
}

/* `name`, with every backquote in it doubled. */
static void add_identifier(struct text *text, const char *name)
{
    add(text, "`", 1);
    for (; *name != '\0'; name++)
        add(text, "``", *name == '`' ? 2 : 0), add(text, name, *name == '`' ? 0 : 1);
    add(text, "`", 1);
}

static void add_columns(struct text *text, const struct osiris_host *host)
{
    size_t count = host->get_count(host, OSIRIS_CONFIG, "columns");
    char path[40];

    if (count == 0)
        add_text(text, "*");
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/columns/%zu", i);
        if (i > 0)
            add_text(text, ", ");
        add_identifier(text, host->get_string(host, OSIRIS_CONFIG, path, ""));
    }
}

/* Rows that came already are not asked for again. */
static void add_limit(struct text *text, const struct osiris_host *host, int64_t taken)
{
    int64_t limit = host->get_integer(host, OSIRIS_CONFIG, "limit", 0);
    int64_t offset = taken > 0 ? 0 : host->get_integer(host, OSIRIS_CONFIG, "offset", 0);
    char clause[96];

    if (limit <= 0 && offset <= 0)
        return;
    /* MySQL has no OFFSET without LIMIT: its manual says to use this number. */
    if (limit > 0)
        snprintf(clause, sizeof clause, " LIMIT %lld OFFSET %lld", (long long)(limit - taken),
                 (long long)offset);
    else
        snprintf(clause, sizeof clause, " LIMIT 18446744073709551615 OFFSET %lld",
                 (long long)offset);
    add_text(text, clause);
}

/* Options that only make sense with a table. */
static int check_query_alone(const struct osiris_host *host)
{
    static const char *const options[] = {"columns", "limit", "where", "order_by"};

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (host->value_type(host, OSIRIS_CONFIG, options[i]) > OSIRIS_NULL)
            return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                               "put it into the query, or use table instead",
                               "\"%s\" goes with \"table\", not with \"query\"", options[i]);
    if (host->get_integer(host, OSIRIS_CONFIG, "offset", 0) > 0)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                           "put it into the query, or use table instead",
                           "\"offset\" goes with \"table\", not with \"query\"");
    return 0;
}

int mysql_check_statement(const struct osiris_host *host)
{
    bool query = host->get_string(host, OSIRIS_CONFIG, "query", NULL) != NULL;
    bool table = host->get_string(host, OSIRIS_CONFIG, "table", NULL) != NULL;

    if (query == table)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, NULL,
                           "give either \"query\" or \"table\"");
    return query ? check_query_alone(host) : 0;
}

/* The config's own condition and the part's, both. A line's end closes a comment that the SQL may end with. */
static void add_where(struct text *text, const char *given, const char *part)
{
    if (given == NULL && part == NULL)
        return;
    add_text(text, " WHERE ");
    if (given != NULL) {
        add_text(text, "(");
        add_text(text, given);
        add_text(text, "\n)");
    }
    if (part != NULL) {
        add_text(text, given != NULL ? " AND (" : "(");
        add_text(text, part);
        add_text(text, ")");
    }
}

static void add_order(struct text *text, const char *given, const char *part)
{
    if (given == NULL && part == NULL)
        return;
    add_text(text, " ORDER BY ");
    add_text(text, part != NULL ? part : given);
    add_text(text, "\n");
}

static void add_select(struct text *text, const struct osiris_host *host,
                       const struct mysql_part *part)
{
    const char *schema = host->get_string(host, OSIRIS_CONNECTION, "schema", NULL);

    add_text(text, "SELECT ");
    add_columns(text, host);
    if (part->more_columns != NULL)
        add_text(text, part->more_columns);
    add_text(text, " FROM ");
    if (schema != NULL && schema[0] != '\0') {
        add_identifier(text, schema);
        add_text(text, ".");
    }
    add_identifier(text, host->get_string(host, OSIRIS_CONFIG, "table", ""));
    add_where(text, host->get_string(host, OSIRIS_CONFIG, "where", NULL), part->condition);
    add_order(text, host->get_string(host, OSIRIS_CONFIG, "order_by", NULL), part->order);
    add_limit(text, host, part->taken);
}

char *mysql_make_statement(const struct osiris_host *host, const struct mysql_part *part)
{
    const char *query = host->get_string(host, OSIRIS_CONFIG, "query", NULL);
    struct text text = {0};

    if (query != NULL)
        add_text(&text, query);
    else
        add_select(&text, host, part);
    if (!text.failed)
        return text.bytes;
    free(text.bytes);
    osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    return NULL;
}
