/* Connecting, interrupting, and what errors mean; see mysql-driver.h. */
#include <errmsg.h>
#include <errno.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mysql-driver.h"

#define KILL_TIMEOUT_S 2
/* Of the library's coroutine while it connects: the name's resolution runs on it, too. */
#define CONNECT_STACK_BYTES (512u << 10)

/* Times are UTC; the server must be patient with a reader that is held up by its writer. */
#define INIT_COMMAND "SET time_zone = '+00:00', SESSION net_write_timeout = 3600"

int mysql_session_init(struct mysql_session *session, const struct osiris_host *host)
{
    const char *user = host->get_string(host, OSIRIS_CONNECTION, "user", NULL);

    session->host = host;
    session->socket = -1;
    pthread_mutex_init(&session->lock, NULL);
    session->target = (struct mysql_target){
        .host = host->get_string(host, OSIRIS_CONNECTION, "host", "127.0.0.1"),
        .database = host->get_string(host, OSIRIS_CONNECTION, "database", NULL),
        .user = user != NULL ? user : host->get_string(host, OSIRIS_CONNECTION, "username", NULL),
        .password = host->get_string(host, OSIRIS_CONNECTION, "password", NULL),
        .socket = host->get_string(host, OSIRIS_CONNECTION, "socket", NULL),
        .port = (unsigned)host->get_integer(host, OSIRIS_CONNECTION, "port", 3306),
        .connect_timeout_s =
            (unsigned)host->get_integer(host, OSIRIS_CONNECTION, "connect_timeout", 10),
        .read_timeout_s =
            (unsigned)host->get_integer(host, OSIRIS_CONNECTION, "read_timeout", 3600),
    };
    if (session->target.user == NULL)
        return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL, "give user in the connection",
                           "the connection has no user");
    session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (session->wake < 0)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 1, errno, NULL, NULL,
                           "cannot make an event descriptor: %s", strerror(errno));
    return 0;
}

void mysql_session_clear(struct mysql_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->socket = -1;
    pthread_mutex_unlock(&session->lock);
    if (session->mysql != NULL)
        mysql_close(session->mysql);
    session->mysql = NULL;
    close(session->wake);
    pthread_mutex_destroy(&session->lock);
}

/* Errors. */

struct meaning {
    unsigned code;
    int32_t category;
    int32_t retryable;
    const char *hint;
};

static const struct meaning meanings[] = {
    {ER_ACCESS_DENIED_ERROR, OSIRIS_ERROR_AUTH, 0, "check user and password of the connection"},
    {ER_DBACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user access to the database"},
    {ER_TABLEACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user SELECT on the table"},
    {ER_COLUMNACCESS_DENIED_ERROR, OSIRIS_ERROR_PERMISSION, 0, "grant the user SELECT on the column"},
    {ER_HOST_NOT_PRIVILEGED, OSIRIS_ERROR_PERMISSION, 0, NULL},
    {ER_BAD_DB_ERROR, OSIRIS_ERROR_NOT_FOUND, 0, "check database of the connection"},
    {ER_NO_SUCH_TABLE, OSIRIS_ERROR_NOT_FOUND, 0, "check the table's name and its database"},
    {ER_BAD_FIELD_ERROR, OSIRIS_ERROR_NOT_FOUND, 0, "check the column's name"},
    {ER_PARSE_ERROR, OSIRIS_ERROR_CONFIG, 0, "check the query"},
    {ER_UNSUPPORTED_PS, OSIRIS_ERROR_CONFIG, 0, "the server cannot prepare such a statement; use a SELECT"},
    {ER_CON_COUNT_ERROR, OSIRIS_ERROR_QUOTA, 1, NULL},
    {ER_USER_LIMIT_REACHED, OSIRIS_ERROR_QUOTA, 1, NULL},
    {ER_LOCK_WAIT_TIMEOUT, OSIRIS_ERROR_TIMEOUT, 1, NULL},
    {ER_LOCK_DEADLOCK, OSIRIS_ERROR_TIMEOUT, 1, NULL},
    {3024 /* ER_QUERY_TIMEOUT */, OSIRIS_ERROR_TIMEOUT, 1, NULL},
    {1969 /* ER_STATEMENT_TIMEOUT */, OSIRIS_ERROR_TIMEOUT, 1, NULL},
    {ER_QUERY_INTERRUPTED, OSIRIS_ERROR_CONNECTION, 1, "the query was killed on the server"},
    {1927 /* ER_CONNECTION_KILLED */, OSIRIS_ERROR_CONNECTION, 1, "the connection was killed on the server"},
    {ER_SERVER_SHUTDOWN, OSIRIS_ERROR_CONNECTION, 1, "the server was shut down"},
    {CR_CONNECTION_ERROR, OSIRIS_ERROR_CONNECTION, 1, "is the server running, and the socket right?"},
    {CR_CONN_HOST_ERROR, OSIRIS_ERROR_CONNECTION, 1, "is the server running, and host and port right?"},
    {CR_UNKNOWN_HOST, OSIRIS_ERROR_NOT_FOUND, 1, "check host of the connection"},
    {CR_SERVER_GONE_ERROR, OSIRIS_ERROR_CONNECTION, 1, "the server closed the connection"},
    {CR_SERVER_LOST, OSIRIS_ERROR_CONNECTION, 1, "the connection broke, or the server was silent for read_timeout"},
    {CR_OUT_OF_MEMORY, OSIRIS_ERROR_INTERNAL, 0, NULL},
};

static const struct meaning *find_meaning(unsigned code)
{
    static const struct meaning server = {0, OSIRIS_ERROR_DATA, 0, NULL};
    static const struct meaning client = {0, OSIRIS_ERROR_CONNECTION, 1, NULL};

    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == code)
            return &meanings[i];
    return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR ? &client : &server;
}

static int fail_as(const struct meaning *meaning, struct mysql_session *session, const char *doing,
                   unsigned code, const char *state, const char *message)
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

int mysql_session_fail(struct mysql_session *session, const char *doing, unsigned code,
                       const char *state, const char *message)
{
    return fail_as(find_meaning(code), session, doing, code, state, message);
}

/* Connecting. */

static MYSQL *prepare_handle(const struct mysql_target *target, unsigned connect_timeout_s,
                             unsigned read_timeout_s)
{
    MYSQL *mysql = mysql_init(NULL);
    unsigned protocol = target->socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    unsigned no_local_infile = 0;

    if (mysql == NULL)
        return NULL;
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout_s);
    mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &read_timeout_s);
    mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &connect_timeout_s);
    /* "localhost" is a TCP host, as in the original, unless a socket is given. */
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_local_infile);
    return mysql;
}

/* With another host than this libmariadb would insist on TCP. */
static const char *host_of(const struct mysql_target *target)
{
    return target->socket != NULL ? "localhost" : target->host;
}

static MYSQL *connect_handle(MYSQL *mysql, const struct mysql_target *target)
{
    return mysql_real_connect(mysql, host_of(target), target->user, target->password,
                              target->database, target->port, target->socket, 0);
}

static int fail_interrupted(struct mysql_session *session)
{
    return osiris_fail(session->host, OSIRIS_ERROR_CANCELLED, 0, 0, NULL, NULL, "interrupted");
}

bool mysql_session_is_interrupted(struct mysql_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool interrupted = session->interrupted;
    pthread_mutex_unlock(&session->lock);
    return interrupted;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for what the library waits for. A timeout is what it is told when the time is over or somebody interrupts: then
 * it gives up by itself, with nothing left behind. */
static int wait_for(const struct mysql_session *session, int wanted, int64_t deadline_ms)
{
    struct pollfd wait[2] = {{.fd = (int)mysql_get_socket(session->mysql)},
                             {.fd = session->wake, .events = POLLIN}};
    int happened = 0;

    wait[0].events = (short)((wanted & MYSQL_WAIT_READ ? POLLIN : 0) |
                             (wanted & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                             (wanted & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    while (happened == 0) {
        int64_t left = deadline_ms - now_ms();
        int count = left <= 0 ? 0 : poll(wait, 2, (int)left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0 || wait[1].revents != 0)
            return MYSQL_WAIT_TIMEOUT;
        if (wait[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
            happened |= wanted & MYSQL_WAIT_READ;
        if (wait[0].revents & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
            happened |= wanted & MYSQL_WAIT_WRITE;
        if (wait[0].revents & POLLPRI)
            happened |= wanted & MYSQL_WAIT_EXCEPT;
        /* A hang-up that the library did not ask about would be seen again and again. */
        if (happened == 0)
            return MYSQL_WAIT_TIMEOUT;
    }
    return happened;
}

/* The library's non-blocking connect, because nothing else could end a wait in it: its socket is its own until it is
 * connected. connect_timeout bounds the whole, but not the name's resolution. */
static int connect_interruptibly(struct mysql_session *session)
{
    static const struct meaning late = {0, OSIRIS_ERROR_CONNECTION, 1,
                                        "the server did not answer within connect_timeout"};
    const struct mysql_target *target = &session->target;
    MYSQL *mysql = session->mysql, *connected = NULL;
    int64_t deadline = now_ms() + (int64_t)target->connect_timeout_s * 1000;
    int status = mysql_real_connect_start(&connected, mysql, host_of(target), target->user,
                                          target->password, target->database, target->port,
                                          target->socket, 0);

    while (status != 0)
        status = mysql_real_connect_cont(&connected, mysql, wait_for(session, status, deadline));
    if (connected != NULL)
        return 0;
    if (mysql_session_is_interrupted(session))
        return fail_interrupted(session);
    const unsigned code = mysql_errno(mysql);
    /* The library calls its own giving up a lost connection. */
    return fail_as(now_ms() >= deadline ? &late : find_meaning(code), session, "connect", code,
                   mysql_sqlstate(mysql), mysql_error(mysql));
}

int mysql_session_connect(struct mysql_session *session)
{
    const struct mysql_target *target = &session->target;
    MYSQL *mysql = prepare_handle(target, target->connect_timeout_s, target->read_timeout_s);
    size_t stack = CONNECT_STACK_BYTES;

    if (mysql == NULL)
        return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL,
                           "out of memory");
    mysql_options(mysql, MYSQL_INIT_COMMAND, INIT_COMMAND);
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, &stack);
    session->mysql = mysql;
    if (connect_interruptibly(session) < 0)
        return -1;
    session->thread_id = mysql_thread_id(mysql);
    pthread_mutex_lock(&session->lock);
    session->socket = (int)mysql_get_socket(mysql);
    pthread_mutex_unlock(&session->lock);
    return mysql_session_is_interrupted(session) ? fail_interrupted(session) : 0;
}

void mysql_session_interrupt(struct mysql_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->interrupted = true;
    (void)eventfd_write(session->wake, 1);
    if (session->socket >= 0)
        (void)shutdown(session->socket, SHUT_RDWR);
    pthread_mutex_unlock(&session->lock);
}

/* KILL QUERY by a second connection, quickly or not at all: the server finds out in the end by itself. */
static void kill_query(const struct mysql_session *session)
{
    MYSQL *mysql = prepare_handle(&session->target, KILL_TIMEOUT_S, KILL_TIMEOUT_S);
    char statement[64];

    if (mysql == NULL)
        return;
    if (connect_handle(mysql, &session->target) != NULL) {
        snprintf(statement, sizeof statement, "KILL QUERY %lu", session->thread_id);
        (void)mysql_query(mysql, statement);
    }
    mysql_close(mysql);
}

void mysql_session_abandon(struct mysql_session *session)
{
    mysql_session_interrupt(session);
    kill_query(session);
}
