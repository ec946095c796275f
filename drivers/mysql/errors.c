/* What the server's and the client library's errors mean; see mysql-driver.h. */
#include <errmsg.h>
#include <mysqld_error.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "mysql-driver.h"

struct meaning {
    unsigned code;
    int32_t category;
    int32_t retryable;
    const char *hint;
};

#define CHECK_LOGIN                                                                                \
    "check user and password of the connection, and whether the account requires ssl"
#define CLOSED "the server closed the connection"
#define BROKE "the connection broke, or the server was silent for read_timeout"
#define SHORT_OF_MEMORY "the server is out of memory"
#define CHECK_SQL "check the query, and where and order_by"
#define NO_MYSQL "check whether a MySQL server listens at host and port"
#define CHECK_SSL "check ssl of the connection and the server's certificate"
#define NO_SSL "set ssl.mode of the connection to required"

/* Numbers without a name exist only in MySQL: https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html */
static const struct meaning meanings[] = {
    {ER_ACCESS_DENIED_ERROR, OSIRIS_ERROR_AUTH, 0, CHECK_LOGIN},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, OSIRIS_ERROR_AUTH, 0, CHECK_LOGIN},
    {ER_ACCESS_DENIED_CHANGE_USER_ERROR, OSIRIS_ERROR_AUTH, 0, CHECK_LOGIN},
    {ER_NOT_SUPPORTED_AUTH_MODE, OSIRIS_ERROR_AUTH, 0, "change the account's authentication plug-in to a newer one"},
    {ER_SERVER_IS_IN_SECURE_AUTH_MODE, OSIRIS_ERROR_AUTH, 0, "set the account's password again, in the newer format"},
    {ER_MUST_CHANGE_PASSWORD, OSIRIS_ERROR_AUTH, 0, "the account's password has expired"},
    {ER_MUST_CHANGE_PASSWORD_LOGIN, OSIRIS_ERROR_AUTH, 0, "the account's password has expired"},
    {ER_USER_IS_BLOCKED, OSIRIS_ERROR_AUTH, 0, "too many wrong passwords; unlock the account"},
    {ER_ACCOUNT_HAS_BEEN_LOCKED, OSIRIS_ERROR_AUTH, 0, "unlock the account"},
    {3118 /* account locked */, OSIRIS_ERROR_AUTH, 0, "unlock the account"},
    {3955 /* blocked by password lock */, OSIRIS_ERROR_AUTH, 0, "too many wrong passwords; unlock the account"},
    {3159 /* secure transport required */, OSIRIS_ERROR_AUTH, 0, NO_SSL},
    {CR_SECURE_AUTH, OSIRIS_ERROR_AUTH, 0, "set the account's password again, in the newer format"},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, OSIRIS_ERROR_AUTH, 0,
     "install this client plug-in where the step runs; Debian: libmariadb3, mariadb-plugin-*-client"},
    {CR_AUTH_PLUGIN_ERR, OSIRIS_ERROR_AUTH, 0, NULL},
    {CR_PLUGIN_NOT_ALLOWED, OSIRIS_ERROR_AUTH, 0,
     "the server requires the password in clear text; " NO_SSL},

    {ER_DBACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user access to the database"},
    {ER_TABLEACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user SELECT on the table"},
    {ER_COLUMNACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user SELECT on the column"},
    {ER_PROCACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user EXECUTE on the routine"},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user that privilege"},
    {ER_HOST_NOT_PRIVILEGED, OSIRIS_ERROR_PERMISSION, 0, "allow the user to connect from this machine"},
    {ER_HOST_IS_BLOCKED, OSIRIS_ERROR_PERMISSION, 0, "run FLUSH HOSTS on the server"},
    {3032 /* server in offline mode */, OSIRIS_ERROR_PERMISSION, 1, NULL},
    {ER_OPTION_PREVENTS_STATEMENT, OSIRIS_ERROR_PERMISSION, 0, NULL},
    {ER_NO_SUCH_USER, OSIRIS_ERROR_PERMISSION, 0, "the definer of the view or routine does not exist"},

    {ER_BAD_DB_ERROR, OSIRIS_ERROR_NOT_FOUND, 0, "check database of the connection"},
    {ER_NO_SUCH_TABLE, OSIRIS_ERROR_NOT_FOUND, 0, "check the table's name and its database"},
    {ER_NO_SUCH_TABLE_IN_ENGINE, OSIRIS_ERROR_NOT_FOUND, 0, NULL},
    {ER_BAD_TABLE_ERROR, OSIRIS_ERROR_NOT_FOUND, 0, "check the table's name and its database"},
    {ER_UNKNOWN_TABLE, OSIRIS_ERROR_NOT_FOUND, 0, "check the table's name and its database"},
    {ER_BAD_FIELD_ERROR, OSIRIS_ERROR_NOT_FOUND, 0, "check the column's name"},
    {ER_SP_DOES_NOT_EXIST, OSIRIS_ERROR_NOT_FOUND, 0, "check the function's name"},
    {ER_UNKNOWN_PARTITION, OSIRIS_ERROR_NOT_FOUND, 0, NULL},

    {ER_PARSE_ERROR, OSIRIS_ERROR_CONFIG, 0, CHECK_SQL},
    {ER_SYNTAX_ERROR, OSIRIS_ERROR_CONFIG, 0, CHECK_SQL},
    {ER_EMPTY_QUERY, OSIRIS_ERROR_CONFIG, 0, CHECK_SQL},
    {ER_UNSUPPORTED_PS, OSIRIS_ERROR_CONFIG, 0, "the server cannot prepare such a statement; use a SELECT"},
    {ER_NOT_SUPPORTED_YET, OSIRIS_ERROR_CONFIG, 0, NULL},
    {ER_UNKNOWN_SYSTEM_VARIABLE, OSIRIS_ERROR_CONFIG, 0, NULL},
    {ER_WRONG_VALUE_FOR_VAR, OSIRIS_ERROR_CONFIG, 0, NULL},
    {ER_WRONG_TYPE_FOR_VAR, OSIRIS_ERROR_CONFIG, 0, NULL},
    {ER_UNKNOWN_TIME_ZONE, OSIRIS_ERROR_CONFIG, 0, NULL},
    {ER_UNKNOWN_CHARACTER_SET, OSIRIS_ERROR_CONFIG, 0, NULL},
    {ER_VIEW_INVALID, OSIRIS_ERROR_CONFIG, 0, "repair the view"},
    {ER_NET_PACKET_TOO_LARGE, OSIRIS_ERROR_CONFIG, 0, "raise the server's max_allowed_packet"},
    {CR_NET_PACKET_TOO_LARGE, OSIRIS_ERROR_DATA, 0, "a row is too large for the client library"},

    {ER_CON_COUNT_ERROR, OSIRIS_ERROR_QUOTA, 1, "the server has no free connection"},
    {ER_TOO_MANY_USER_CONNECTIONS, OSIRIS_ERROR_QUOTA, 1, "the account has no free connection"},
    {ER_USER_LIMIT_REACHED, OSIRIS_ERROR_QUOTA, 1, "the account has reached its resource limit"},
    {ER_OUTOFMEMORY, OSIRIS_ERROR_QUOTA, 1, SHORT_OF_MEMORY},
    {ER_OUT_OF_SORTMEMORY, OSIRIS_ERROR_QUOTA, 1, SHORT_OF_MEMORY},
    {ER_OUT_OF_RESOURCES, OSIRIS_ERROR_QUOTA, 1, SHORT_OF_MEMORY},
    {ER_ENGINE_OUT_OF_MEMORY, OSIRIS_ERROR_QUOTA, 1, SHORT_OF_MEMORY},
    {ER_CANT_CREATE_THREAD, OSIRIS_ERROR_QUOTA, 1, SHORT_OF_MEMORY},
    {ER_LOCK_TABLE_FULL, OSIRIS_ERROR_QUOTA, 1, NULL},
    {ER_RECORD_FILE_FULL, OSIRIS_ERROR_QUOTA, 0, "the server's table or temporary table is full"},
    {ER_QUERY_RESULT_INCOMPLETE, OSIRIS_ERROR_QUOTA, 0, NULL},

    {ER_LOCK_WAIT_TIMEOUT, OSIRIS_ERROR_TIMEOUT, 1, "another session holds a lock on the table"},
    {ER_LOCK_DEADLOCK, OSIRIS_ERROR_TIMEOUT, 1, NULL},
    {3572 /* lock not available at once */, OSIRIS_ERROR_TIMEOUT, 1, NULL},
    {3024 /* max_execution_time */, OSIRIS_ERROR_TIMEOUT, 1, "the server limits the time of a statement"},
    {ER_STATEMENT_TIMEOUT, OSIRIS_ERROR_TIMEOUT, 1, "the server limits the time of a statement"},

    {ER_DISK_FULL, OSIRIS_ERROR_IO, 1, "the server's disk is full"},
    {ER_CANT_OPEN_FILE, OSIRIS_ERROR_IO, 0, NULL},
    {ER_ERROR_ON_READ, OSIRIS_ERROR_IO, 0, NULL},
    {ER_ERROR_ON_WRITE, OSIRIS_ERROR_IO, 0, NULL},
    {ER_GET_ERRNO, OSIRIS_ERROR_IO, 0, "the storage engine failed; see the server's log"},
    {ER_FILSORT_ABORT, OSIRIS_ERROR_IO, 1, "see the server's log"},
    {ER_CRASHED_ON_USAGE, OSIRIS_ERROR_IO, 0, "repair the table"},
    {ER_CRASHED_ON_REPAIR, OSIRIS_ERROR_IO, 0, "repair the table"},
    {CR_FILE_NOT_FOUND, OSIRIS_ERROR_IO, 0, "the files of ssl are read where the step runs"},
    {CR_FILE_READ, OSIRIS_ERROR_IO, 0, "the files of ssl are read where the step runs"},

    {ER_CHECKREAD, OSIRIS_ERROR_DATA, 1, "the row was changed meanwhile"},
    {ER_TABLE_DEF_CHANGED, OSIRIS_ERROR_DATA, 1, "the table was changed meanwhile"},

    {ER_QUERY_INTERRUPTED, OSIRIS_ERROR_CONNECTION, 1, "the query was killed on the server"},
    {ER_CONNECTION_KILLED, OSIRIS_ERROR_CONNECTION, 1, "the connection was killed on the server"},
    {3169 /* session killed */, OSIRIS_ERROR_CONNECTION, 1, "the connection was killed on the server"},
    {4031 /* silent client */, OSIRIS_ERROR_CONNECTION, 1, CLOSED},
    {ER_SERVER_SHUTDOWN, OSIRIS_ERROR_CONNECTION, 1, "the server was shut down"},
    {ER_NORMAL_SHUTDOWN, OSIRIS_ERROR_CONNECTION, 1, "the server was shut down"},
    {ER_SHUTDOWN_COMPLETE, OSIRIS_ERROR_CONNECTION, 1, "the server was shut down"},
    {ER_BAD_HOST_ERROR, OSIRIS_ERROR_CONNECTION, 1, "the server cannot look up this machine"},
    {ER_HANDSHAKE_ERROR, OSIRIS_ERROR_CONNECTION, 0, NO_MYSQL},
    {ER_ABORTING_CONNECTION, OSIRIS_ERROR_CONNECTION, 1, CLOSED},
    {ER_NEW_ABORTING_CONNECTION, OSIRIS_ERROR_CONNECTION, 1, CLOSED},
    {CR_CONNECTION_ERROR, OSIRIS_ERROR_CONNECTION, 1, "check whether the server is running and the socket is correct"},
    {CR_CONN_HOST_ERROR, OSIRIS_ERROR_CONNECTION, 1, "check whether the server is running and host and port are correct"},
    {CR_SERVER_GONE_ERROR, OSIRIS_ERROR_CONNECTION, 1, CLOSED},
    {CR_SERVER_LOST, OSIRIS_ERROR_CONNECTION, 1, BROKE},
    {CR_SSL_CONNECTION_ERROR, OSIRIS_ERROR_CONNECTION, 0, CHECK_SSL},
    {CR_VERSION_ERROR, OSIRIS_ERROR_CONNECTION, 0, NO_MYSQL},
    {CR_SERVER_HANDSHAKE_ERR, OSIRIS_ERROR_CONNECTION, 0, NO_MYSQL},
    {CR_MALFORMED_PACKET, OSIRIS_ERROR_CONNECTION, 0, NO_MYSQL},
    {CR_CANT_READ_CHARSET, OSIRIS_ERROR_INTERNAL, 0, NULL},
    {CR_OUT_OF_MEMORY, OSIRIS_ERROR_INTERNAL, 0, NULL},
    {CR_COMMANDS_OUT_OF_SYNC, OSIRIS_ERROR_INTERNAL, 0, NULL},
};

/* Any other error of the server is classified by its SQLSTATE class (SQL:2016, part 2, 24.1). */
static const struct {
    char class[3];
    struct meaning meaning;
} classes[] = {
    {"08", {0, OSIRIS_ERROR_CONNECTION, 1, NULL}}, {"28", {0, OSIRIS_ERROR_AUTH, 0, CHECK_LOGIN}},
    {"40", {0, OSIRIS_ERROR_TIMEOUT, 1, NULL}},    {"42", {0, OSIRIS_ERROR_CONFIG, 0, NULL}},
};

static bool is_of_client(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
           (code >= CER_MIN_ERROR && code <= CR_MARIADB_LAST_ERROR);
}

static const struct meaning *find_meaning(unsigned code, const char *state)
{
    static const struct meaning server = {0, OSIRIS_ERROR_DATA, 0, NULL};
    static const struct meaning client = {0, OSIRIS_ERROR_CONNECTION, 1, NULL};

    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == code)
            return &meanings[i];
    if (is_of_client(code))
        return &client;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(classes[i].class, state, 2) == 0)
            return &classes[i].meaning;
    return &server;
}

/* Some errors mean one thing while connecting and another later. */
static const struct meaning *find_meaning_now(const struct mysql_session *session, unsigned code,
                                              const char *state)
{
    static const struct meaning broke = {0, OSIRIS_ERROR_CONNECTION, 1, BROKE};
    static const struct meaning closed = {0, OSIRIS_ERROR_CONNECTION, 1, NO_MYSQL};
    bool connected = session->thread_id != 0;

    if (code == CR_SSL_CONNECTION_ERROR && connected)
        return &broke;
    /* In non-blocking mode the library reports this for TCP, too. */
    if (code == CR_CONNECTION_ERROR && session->target.socket == NULL)
        return find_meaning(CR_CONN_HOST_ERROR, state);
    if (code == CR_SERVER_LOST && !connected)
        return &closed;
    return find_meaning(code, state);
}

static int fail_as(const struct meaning *meaning, const struct mysql_session *session,
                   const char *doing, unsigned code, const char *state, const char *message)
{
    const struct mysql_target *target = &session->target;
    const char *database = target->database == NULL ? "" : target->database;

    if (target->socket != NULL)
        return osiris_fail(session->host, meaning->category, meaning->retryable, (int32_t)code,
                           state, meaning->hint, "cannot %s at %s/%s: %s (%u, %s)", doing,
                           target->socket, database, message, code, state);
    return osiris_fail(session->host, meaning->category, meaning->retryable, (int32_t)code, state,
                       meaning->hint, "cannot %s at %s:%u/%s: %s (%u, %s)", doing, target->host,
                       target->port, database, message, code, state);
}

/* The library's text names the plug-in, its path and why it cannot be loaded. Its number may be replaced by what the
 * server reported to a client without the plug-in. */
static bool lacks_plugin(unsigned code, const char *message)
{
    return code == CR_AUTH_PLUGIN_CANNOT_LOAD ||
           (strncmp(message, "Plugin ", 7) == 0 && strstr(message, " could not be loaded: ") != NULL);
}

/* The library assigns its own number to an error that a server sends instead of a greeting ("too many connections") if TLS is
 * requested, and puts the server's number into the text. 0: another text. */
static unsigned code_before_tls(const char *message)
{
    static const char before[] = "Received error packet before completion of TLS handshake.";
    static const char mark[] = "cannot be verified: ";
    const char *at = strstr(message, mark);

    if (strncmp(message, before, sizeof before - 1) != 0 || at == NULL)
        return 0;
    return (unsigned)strtoul(at + sizeof mark - 1, NULL, 10);
}

/* getaddrinfo's number, with which the library's text ends: "Unknown server host 'x' (-2)". */
static int resolver_reason(const char *message)
{
    const char *at = strrchr(message, '(');

    return at == NULL ? EAI_FAIL : (int)strtol(at + 1, NULL, 10);
}

/* A name that does not exist will not exist soon. A DNS server that could not be reached may answer later. */
static int fail_unresolved(const struct mysql_session *session, const char *doing, const char *state,
                           const char *message)
{
    static const struct meaning no_name = {0, OSIRIS_ERROR_NOT_FOUND, 0, "check host of the connection"};
    static const struct meaning no_answer = {0, OSIRIS_ERROR_NOT_FOUND, 1, "check whether DNS is available where the step runs"};
    const int reason = resolver_reason(message);
    bool was_asked = reason != EAI_AGAIN && reason != EAI_SYSTEM && reason != EAI_MEMORY;
    char text[1024];

    snprintf(text, sizeof text, "the host's name cannot be resolved (DNS): %s: %s", gai_strerror(reason), message);
    return fail_as(was_asked ? &no_name : &no_answer, session, doing, CR_UNKNOWN_HOST, state, text);
}

int mysql_session_fail(struct mysql_session *session, const char *doing, unsigned code,
                       const char *state, const char *message)
{
    const unsigned of_server = code_before_tls(message);

    if (lacks_plugin(code, message))
        code = CR_AUTH_PLUGIN_CANNOT_LOAD;
    else if (of_server != 0)
        code = of_server;
    if (code == CR_UNKNOWN_HOST)
        return fail_unresolved(session, doing, state, message);
    return fail_as(find_meaning_now(session, code, state), session, doing, code, state, message);
}

int mysql_session_fail_init_sql(struct mysql_session *session, const char *doing)
{
    MYSQL *mysql = session->mysql;
    struct meaning meaning = *find_meaning_now(session, mysql_errno(mysql), mysql_sqlstate(mysql));

    /* The hints for SQL errors are about the query. */
    if (meaning.category == OSIRIS_ERROR_CONFIG || meaning.category == OSIRIS_ERROR_NOT_FOUND ||
        meaning.category == OSIRIS_ERROR_DATA)
        meaning.hint = "check init_sql of the step or its connection; write several statements as a list";
    return fail_as(&meaning, session, doing, mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql));
}

int mysql_session_fail_statement(struct mysql_session *session, const char *doing,
                                 MYSQL_STMT *statement)
{
    MYSQL *mysql = session->mysql;

    /* A fetch without a buffer leaves its error with the connection. */
    if (mysql_stmt_errno(statement) == 0 && mysql_errno(mysql) != 0)
        return mysql_session_fail(session, doing, mysql_errno(mysql), mysql_sqlstate(mysql),
                                  mysql_error(mysql));
    return mysql_session_fail(session, doing, mysql_stmt_errno(statement),
                              mysql_stmt_sqlstate(statement), mysql_stmt_error(statement));
}

int mysql_session_fail_late(struct mysql_session *session)
{
    static const struct meaning late = {0, OSIRIS_ERROR_CONNECTION, 1,
                                        "the server did not answer within connect_timeout"};
    MYSQL *mysql = session->mysql;

    /* A DNS error is the reason, however late it came. */
    if (mysql_errno(mysql) == CR_UNKNOWN_HOST)
        return fail_unresolved(session, "connect", mysql_sqlstate(mysql), mysql_error(mysql));
    /* The library reports its own timeout as a lost connection. */
    return fail_as(&late, session, "connect", mysql_errno(mysql), mysql_sqlstate(mysql),
                   mysql_error(mysql));
}
