/* Connecting; see mysql-driver.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "mysql-driver.h"

#define KILL_TIMEOUT_S 2
#define GREETING_PAUSE_MS 5
/* The stack of the library's coroutine while it connects; the name lookup runs on it, too. */
#define CONNECT_STACK_BYTES (512u << 10)

/* Times are UTC; the server must wait for a reader that is blocked by its writer; a limit on result sizes
 * must not truncate an export silently; and notes must not be counted as warnings. */
#define INIT_COMMAND                                                                                                    \
    "SET time_zone = '+00:00', SESSION net_write_timeout = 3600, SESSION sql_select_limit = 18446744073709551615, "     \
    "SESSION sql_notes = 0"

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
    mysql_tls_prepare(target, mysql);
    return mysql;
}

/* With any other host libmariadb would insist on TCP. */
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

/* Events on the connection's socket; 0: the time is over, or an interrupt. */
static short wait_on_socket(const struct mysql_session *session, short events, int64_t deadline_ms)
{
    struct pollfd wait[2] = {{.fd = (int)mysql_get_socket(session->mysql), .events = events},
                             {.fd = session->wake, .events = POLLIN}};

    for (;;) {
        int64_t left = deadline_ms - mysql_now_ms();
        int count = left <= 0 ? 0 : poll(wait, 2, (int)left);
        if (count < 0 && errno == EINTR)
            continue;
        return count <= 0 || wait[1].revents != 0 ? 0 : wait[0].revents;
    }
}

static bool is_connected(int socket)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    return getpeername(socket, (struct sockaddr *)&peer, &size) == 0;
}

/* The library can write, but does not know it yet. False: like 0 from wait_on_socket. */
static bool after_connect(struct mysql_session *session, int64_t deadline_ms)
{
    const int socket = (int)mysql_get_socket(session->mysql);

    /* If it is not connected, the library will find out why. */
    if (!is_connected(socket))
        return true;
    /* The waits of a TLS handshake do not get here. */
    mysql_session_hold_socket(session, socket);
    while (mysql_tls_needs_greeting(&session->target)) {
        if (wait_on_socket(session, POLLIN, deadline_ms) == 0)
            return false;
        /* The rest of a greeting that arrives in pieces cannot be polled for while the first part is unread. */
        if (!mysql_tls_inspect_greeting(&session->target, session->mysql, socket))
            (void)poll(NULL, 0, GREETING_PAUSE_MS);
    }
    return true;
}

/* Waits for what the library waits for. On timeout or interrupt the library is given a timeout: then
 * it gives up by itself and cleans up. */
static int wait_for(struct mysql_session *session, int wanted, int64_t deadline_ms)
{
    short events = (short)((wanted & MYSQL_WAIT_READ ? POLLIN : 0) |
                           (wanted & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                           (wanted & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    int happened = 0;

    short seen = wait_on_socket(session, events, deadline_ms);
    if (seen & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
        happened |= wanted & MYSQL_WAIT_READ;
    if (seen & (POLLOUT | POLLHUP | POLLERR | POLLNVAL))
        happened |= wanted & MYSQL_WAIT_WRITE;
    if (seen & POLLPRI)
        happened |= wanted & MYSQL_WAIT_EXCEPT;
    if ((happened & MYSQL_WAIT_WRITE) && !after_connect(session, deadline_ms))
        return MYSQL_WAIT_TIMEOUT;
    /* A hang-up that the library does not wait for would be reported again and again. */
    return happened == 0 ? MYSQL_WAIT_TIMEOUT : happened;
}

/* The library's non-blocking connect, because nothing else can interrupt its waits. connect_timeout bounds the whole, except
 * the name lookup, and each wait of a TLS handshake. */
static int connect_interruptibly(struct mysql_session *session)
{
    const struct mysql_target *target = &session->target;
    MYSQL *mysql = session->mysql, *connected = NULL;
    int64_t deadline = mysql_now_ms() + (int64_t)target->connect_timeout_s * 1000;
    int status = mysql_real_connect_start(&connected, mysql, host_of(target), target->user,
                                          target->password, target->database, target->port,
                                          target->socket, 0);

    while (status != 0)
        status = mysql_real_connect_cont(&connected, mysql, wait_for(session, status, deadline));
    if (connected != NULL)
        return 0;
    if (mysql_session_is_interrupted(session))
        return fail_interrupted(session);
    if (mysql_now_ms() >= deadline)
        return mysql_session_fail_late(session);
    return mysql_session_fail(session, "connect", mysql_errno(mysql), mysql_sqlstate(mysql),
                              mysql_error(mysql));
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
    mysql_session_hold_socket(session, (int)mysql_get_socket(mysql));
    /* Written only by this thread. */
    if (session->socket < 0)
        return osiris_fail(session->host, OSIRIS_ERROR_INTERNAL, 1, errno, NULL, NULL,
                           "cannot duplicate the connection's socket: %s", strerror(errno));
    if (mysql_session_is_interrupted(session))
        return fail_interrupted(session);
    return mysql_tls_after_connect(session) < 0 ? -1 : mysql_run_init_sql(session);
}

/* KILL QUERY over a second connection, quickly or not at all: eventually the server notices by itself. */
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
