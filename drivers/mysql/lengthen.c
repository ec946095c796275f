/*
 * A server collects the rows that it sends in a buffer that is initially net_buffer_length long, 16 KiB, and later as
 * long as the longest packet that it has received from the connection's client (MySQL's manual: "dynamically enlarged
 * up to max_allowed_packet bytes as needed"). On one machine each time it sends wakes the reader, which costs the
 * server more than copying: with 96 KiB it needs an eighth less time for a large table (with more than half of what a
 * socket holds, the two start to wait for each other). So a statement to a server on the same machine is lengthened
 * with blanks at its end, which servers remove before they parse or log it. (bench/export, 3 million orders: 1.90 s,
 * without this 2.27 s.)
 */
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>

#include "mysql-driver.h"

#define LENGTH_TEXT "98304"
/* The server must accept the packet: the statement and a few more bytes. */
#define CHECK_LIMIT "SELECT @@max_allowed_packet >= 2 * " LENGTH_TEXT

enum { LENGTH = 98304 };

static bool is_on_this_machine(MYSQL *mysql)
{
    union {
        struct sockaddr_storage storage;
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
    } peer;
    socklen_t size = sizeof peer;

    if (getpeername((int)mysql_get_socket(mysql), &peer.any, &size) != 0)
        return false;
    switch (peer.any.sa_family) {
    case AF_UNIX: return true;
    case AF_INET: return ntohl(peer.ip4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6: return IN6_IS_ADDR_LOOPBACK(&peer.ip6.sin6_addr);
    default: return false;
    }
}

static bool takes_long_packets(MYSQL *mysql)
{
    MYSQL_RES *result = NULL;

    if (mysql_query(mysql, CHECK_LIMIT) != 0 || (result = mysql_store_result(mysql)) == NULL)
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    bool takes = row != NULL && row[0] != NULL && strcmp(row[0], "1") == 0;
    mysql_free_result(result);
    return takes;
}

char *mysql_lengthen(MYSQL *mysql, const char *sql, size_t *length)
{
    size_t given = strlen(sql), wanted = given;

    if (given < LENGTH && is_on_this_machine(mysql) && takes_long_packets(mysql))
        wanted = LENGTH;
    char *text = malloc(wanted + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, sql, given);
    memset(text + given, ' ', wanted - given);
    text[wanted] = '\0';
    *length = wanted;
    return text;
}
