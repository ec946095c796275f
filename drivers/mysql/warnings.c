/* The server's warnings; see warnings.h. */
#include "warnings.h"

#include <stdlib.h>

#include "sql.h"

#define END_OF_ROWS 0xfe
#define COUNTED_MOST 65535

static bool policy_is(const struct osiris_host *host, const char *what)
{
    return strcmp(host->get_string(host, OSIRIS_CONFIG, "on_warnings", "warn"), what) == 0;
}

bool mysql_warnings_are_errors(const struct osiris_host *host)
{
    return policy_is(host, "fail");
}

/* The packet that ended the rows is still in the connection's buffer, and the library ignores its warning count if
 * rows are not buffered. Protocol::EOF_Packet: 0xfe, warnings (2), status (2). */
static unsigned count_of(const MYSQL *mysql)
{
    const unsigned char *packet = mysql->net.read_pos;

    return packet[0] == END_OF_ROWS ? packet[1] | (unsigned)packet[2] << 8 : 0;
}

/* Takes the text. */
static void add_text(struct mysql_warnings *warnings, char *text)
{
    for (size_t i = 0; text != NULL && i < MYSQL_WARNING_TEXTS; i++) {
        if (warnings->texts[i] == NULL) {
            warnings->texts[i] = text;
            return;
        }
        if (strcmp(warnings->texts[i], text) == 0)
            break;
    }
    free(text);
}

static void add_row(struct mysql_warnings *warnings, MYSQL_ROW row)
{
    struct sql text = {0};

    if (row[1] == NULL || row[2] == NULL)
        return;
    sql_add(&text, row[2]);
    sql_add(&text, " (");
    sql_add(&text, row[1]);
    sql_add(&text, ")");
    add_text(warnings, sql_take(&text));
}

/* Level, code and message of those that the server kept (max_error_count). Without them, only the count is known. */
static void ask_for_texts(struct mysql_warnings *warnings, MYSQL *mysql)
{
    MYSQL_RES *result = mysql_query(mysql, "SHOW WARNINGS") == 0 ? mysql_use_result(mysql) : NULL;
    MYSQL_ROW row;

    if (result == NULL)
        return;
    while ((row = mysql_fetch_row(result)) != NULL)
        add_row(warnings, row);
    mysql_free_result(result);
}

/* "the server truncated values or turned them into NULL, with 2 warnings: Division by 0 (1365)"; free it. */
static char *describe(const struct mysql_warnings *warnings)
{
    struct sql text = {0};

    sql_format(&text, "the server truncated values or turned them into NULL, with %llu%s warning%s",
               (unsigned long long)warnings->count, warnings->uncounted ? " or more" : "",
               warnings->count == 1 ? "" : "s");
    for (size_t i = 0; i < MYSQL_WARNING_TEXTS && warnings->texts[i] != NULL; i++) {
        sql_add(&text, i == 0 ? ": " : "; ");
        sql_add(&text, warnings->texts[i]);
    }
    return sql_take(&text);
}

static int fail(const struct mysql_warnings *warnings, const struct osiris_host *host)
{
    char *text = describe(warnings);

    osiris_fail(host, OSIRIS_ERROR_DATA, 0, 0, NULL, "correct the values or the SQL, or set on_warnings to warn", "%s",
                text == NULL ? "out of memory" : text);
    free(text);
    return -1;
}

int mysql_warnings_take(struct mysql_warnings *warnings, struct mysql_session *session)
{
    unsigned count = count_of(session->mysql);

    if (count == 0 || policy_is(session->host, "ignore"))
        return 0;
    warnings->count += count;
    warnings->uncounted = warnings->uncounted || count == COUNTED_MOST;
    ask_for_texts(warnings, session->mysql);
    return mysql_warnings_are_errors(session->host) ? fail(warnings, session->host) : 0;
}

void mysql_warnings_move(struct mysql_warnings *to, struct mysql_warnings *from)
{
    to->count += from->count;
    to->uncounted = to->uncounted || from->uncounted;
    for (size_t i = 0; i < MYSQL_WARNING_TEXTS; i++)
        add_text(to, from->texts[i]);
    *from = (struct mysql_warnings){0};
}

void mysql_warnings_report(const struct mysql_warnings *warnings, const struct osiris_host *host)
{
    /* An error has already been reported, and the warnings of other partitions add nothing to it. */
    char *text = warnings->count == 0 || mysql_warnings_are_errors(host) ? NULL : describe(warnings);

    if (text != NULL)
        osiris_log(host, OSIRIS_WARNING, "%s", text);
    free(text);
}

void mysql_warnings_clear(struct mysql_warnings *warnings)
{
    for (size_t i = 0; i < MYSQL_WARNING_TEXTS; i++)
        free(warnings->texts[i]);
    *warnings = (struct mysql_warnings){0};
}
