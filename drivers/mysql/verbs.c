/* Shared parts of the verbs, and plan; see verbs.h. */
#include "verbs.h"

#include <stdlib.h>

const char *mysql_verb(const struct osiris_host *host)
{
    return OSIRIS_HAS(host, verb) && host->verb != NULL ? host->verb : "run";
}

void mysql_add_json(struct sql *json, const char *text)
{
    if (text == NULL) {
        sql_add(json, "null");
        return;
    }
    sql_add(json, "\"");
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            sql_format(json, "\\%c", byte);
        else if (byte < 0x20)
            sql_format(json, "\\u%04x", byte);
        else
            sql_format(json, "%c", byte);
    }
    sql_add(json, "\"");
}

int mysql_answer(const struct osiris_host *host, struct sql *json)
{
    char *text = sql_take(json);

    if (text == NULL)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    if (OSIRIS_HAS(host, result))
        host->result(host, text);
    free(text);
    return 0;
}

/* The range's condition, after the config's own, which may end with a comment. */
static void add_where(struct sql *json, const char *where, const char *condition)
{
    struct sql both = {0};

    if (where != NULL) {
        sql_add(&both, "(");
        sql_add(&both, where);
        sql_add(&both, "\n) AND ");
    }
    sql_add(&both, "(");
    sql_add(&both, condition);
    sql_add(&both, ")");
    char *text = sql_take(&both);
    if (text == NULL)
        json->failed = true;
    else
        mysql_add_json(json, text);
    free(text);
}

int mysql_answer_plan(const struct osiris_host *host, const struct mysql_partitions *partitions)
{
    const char *where = host->get_string(host, OSIRIS_CONFIG, "where", NULL);
    struct sql json = {0};

    sql_add(&json, "{\"partition_on\": ");
    mysql_add_json(&json, partitions->key.count > 0 ? partitions->key.columns[0].name : NULL);
    sql_add(&json, ", \"partitions\": [");
    for (size_t i = 0; i < partitions->count; i++) {
        sql_add(&json, i > 0 ? ", " : "");
        sql_add(&json, "{\"config\": {\"partitions\": 1");
        if (partitions->conditions[i] != NULL) {
            sql_add(&json, ", \"where\": ");
            add_where(&json, where, partitions->conditions[i]);
        }
        sql_add(&json, "}}");
    }
    sql_add(&json, "]}");
    return mysql_answer(host, &json);
}
