/* A connection as other threads see it: interrupting it, and waits that an interrupt ends; see mysql-driver.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "mysql-driver.h"

int mysql_session_init(struct mysql_session *session, const struct osiris_host *host)
{
    session->host = host;
    session->socket = -1;
    pthread_mutex_init(&session->lock, NULL);
    if (mysql_target_init(&session->target, host) < 0 ||
        mysql_tls_check_files(&session->target, host) < 0)
        return -1;
    session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (session->wake < 0)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 1, errno, NULL, NULL,
                           "cannot create an event descriptor: %s", strerror(errno));
    return 0;
}

void mysql_session_hold_socket(struct mysql_session *session, int socket)
{
    pthread_mutex_lock(&session->lock);
    if (session->socket >= 0)
        close(session->socket);
    session->socket = socket < 0 ? -1 : fcntl(socket, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&session->lock);
}

void mysql_session_disconnect(struct mysql_session *session)
{
    if (session->mysql != NULL)
        mysql_close(session->mysql);
    session->mysql = NULL;
    mysql_session_hold_socket(session, -1);
}

void mysql_session_clear(struct mysql_session *session)
{
    mysql_session_disconnect(session);
    close(session->wake);
    pthread_mutex_destroy(&session->lock);
}

bool mysql_session_is_interrupted(struct mysql_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool interrupted = session->interrupted;
    pthread_mutex_unlock(&session->lock);
    return interrupted;
}

int mysql_session_wait(const struct mysql_session *session, int milliseconds)
{
    struct pollfd wake = {.fd = session->wake, .events = POLLIN};
    int64_t end = mysql_now_ms() + milliseconds;
    int count = 0;

    for (int64_t left = milliseconds; left > 0 && count <= 0; left = end - mysql_now_ms()) {
        count = poll(&wake, 1, (int)left);
        if (count < 0 && errno != EINTR)
            break;
    }
    return count > 0 ? -1 : 0;
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
