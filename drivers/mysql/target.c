/*
 * Where to connect: the connection's fields, checked; see mysql-driver.h. To the client library, a host may mean other things
 * than a host: `a;b=c` is a connection string with any option, `x://…` a plug-in, `a,b` a list, and an empty text localhost.
 * If there is no user, it takes one from the environment, and it truncates names that are too long.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>

#include "mysql-driver.h"
#include "verbs.h"

/* RFC 1035, 2.3.4 */
#define HOST_BYTES 253
#define LABEL_BYTES 63

/* Replaces a secret in the fields that `validate` gets. */
#define MASK "***MASKED***"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* The host. */

static bool consists_of(const char *text, size_t length, const char *bytes)
{
    return strspn(text, bytes) >= length;
}

/* Letters, digits, hyphens, and underscores, which occur in the names of containers. */
static bool is_label(const char *text, size_t length)
{
    return length > 0 && length <= LABEL_BYTES && text[0] != '-' && text[length - 1] != '-' &&
           consists_of(text, length, LETTERS DIGITS "-_");
}

/* A name whose last label is a number would be read as an address in one of the old forms (127.1, 0x7f000001). */
static bool is_number(const char *text, size_t length)
{
    bool is_hexadecimal = length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

    return consists_of(text, length, DIGITS) ||
           (is_hexadecimal && consists_of(text + 2, length - 2, DIGITS "abcdefABCDEF"));
}

static bool is_name(const char *host)
{
    if (strlen(host) > HOST_BYTES)
        return false;
    for (;;) {
        size_t length = strcspn(host, ".");
        const char *next = host + length;
        if (!is_label(host, length))
            return false;
        if (next[0] == '\0' || next[1] == '\0')
            return !is_number(host, length);
        host = next + 1;
    }
}

static bool is_interface(const char *name)
{
    return name[0] != '\0' && strlen(name) < IF_NAMESIZE &&
           consists_of(name, strlen(name), LETTERS DIGITS "-_.");
}

/* An interface may follow: fe80::1%eth0. */
static bool is_ipv6(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(host, "%");

    if (length >= sizeof address)
        return false;
    memcpy(address, host, length);
    address[length] = '\0';
    if (host[length] == '%' && !is_interface(host + length + 1))
        return false;
    return inet_pton(AF_INET6, address, bytes) == 1;
}

static bool is_host(const char *host)
{
    unsigned char bytes[sizeof(struct in_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || is_ipv6(host) || is_name(host);
}

/* What was probably meant. The text itself is not shown, because it may contain a password. */
static const char *host_hint(const char *host)
{
    const char *colon = strrchr(host, ':');

    if (strstr(host, "://") != NULL || strncmp(host, "jdbc:", 5) == 0)
        return "a URL is not supported; set host, port, user, password and database as separate fields";
    if (strchr(host, '@') != NULL)
        return "set only the server, and user and password as separate fields";
    if (strpbrk(host, ";=") != NULL)
        return "set only the server; options of the client library are not supported here";
    if (strchr(host, ',') != NULL)
        return "set one host; a list is not supported";
    if (colon != NULL && colon[1] != '\0' && consists_of(colon + 1, strlen(colon + 1), DIGITS))
        return "set the port as a separate field, port";
    if (host[0] == '.' || strchr(host, '/') != NULL)
        return "the path of a socket begins with /";
    for (const char *at = host; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            return "write a name with letters other than a to z as in DNS (xn--...)";
    return NULL;
}

/* The line is not shown either, if the host is the step's own. */
static int refuse_host(const struct osiris_host *host, const char *text)
{
    bool is_own = host->value_type(host, OSIRIS_CONFIG, "host") > OSIRIS_NULL;

    return osiris_refuse(host, is_own && strpbrk(text, ":@;=/") != NULL ? NULL : "host", host_hint(text),
                         text[0] == '\0' ? "host is empty"
                                         : "host is not a DNS name, an IPv4 or IPv6 address, or the absolute path of a socket");
}

/* Only `open` sees the secrets. A host that contains one is checked there, and only roughly here. */
static bool is_masked(const struct osiris_host *host, const char *text)
{
    return strcmp(mysql_verb(host), "validate") == 0 && strstr(text, MASK) != NULL;
}

/* The library accepts [::1] without its brackets. */
static int take_host(struct mysql_target *target, const struct osiris_host *host, const char *text)
{
    size_t length = strlen(text);

    target->host = text;
    if (is_masked(host, text))
        return strpbrk(text, ";=,@") == NULL && strstr(text, "://") == NULL ? 0 : refuse_host(host, text);
    if (text[0] == '/') {
        if (target->socket == NULL)
            target->socket = text;
        return 0;
    }
    if (text[0] != '[')
        return is_host(text) ? 0 : refuse_host(host, text);
    if (length - 2 >= sizeof target->address || text[length - 1] != ']')
        return refuse_host(host, text);
    memcpy(target->address, text + 1, length - 2);
    target->address[length - 2] = '\0';
    target->host = target->address;
    return is_ipv6(target->address) ? 0 : refuse_host(host, text);
}

/* The others. */

static int check_length(const struct osiris_host *host, const char *option, const char *text, size_t most)
{
    if (text == NULL || (text[0] != '\0' && strlen(text) <= most))
        return 0;
    if (text[0] == '\0')
        return osiris_refuse(host, option, NULL, "%s is empty", option);
    return osiris_refuse(host, option, NULL, "%s is longer than %zu bytes and would be truncated", option, most);
}

/* One that begins with @ would be abstract, and a relative one would depend on the worker's folder. */
static int check_socket(const struct mysql_target *target, const struct osiris_host *host)
{
    const char *option = target->socket == target->host ? "host" : "socket";
    const size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;

    if (target->socket == NULL || is_masked(host, target->socket))
        return 0;
    if (target->socket[0] != '/')
        return osiris_refuse(host, option, NULL, "socket is not an absolute path");
    return check_length(host, option, target->socket, most);
}

static int take_user(struct mysql_target *target, const struct osiris_host *host)
{
    const char *user = host->get_string(host, OSIRIS_CONNECTION, "user", NULL);
    const char *username = host->get_string(host, OSIRIS_CONNECTION, "username", NULL);

    if (user != NULL && username != NULL && strcmp(user, username) != 0)
        return osiris_refuse(host, "username", "omit one of them",
                             "the connection has both user and username, and they are different");
    target->user = user != NULL ? user : username;
    if (target->user == NULL)
        return osiris_refuse(host, "user", "set user in the connection",
                             "the connection has no user");
    return check_length(host, user != NULL ? "user" : "username", target->user, USERNAME_LENGTH);
}

int mysql_target_init(struct mysql_target *target, const struct osiris_host *host)
{
    *target = (struct mysql_target){
        .database = host->get_string(host, OSIRIS_CONNECTION, "database", NULL),
        .password = host->get_string(host, OSIRIS_CONNECTION, "password", NULL),
        .socket = host->get_string(host, OSIRIS_CONNECTION, "socket", NULL),
        .port = (unsigned)host->get_integer(host, OSIRIS_CONNECTION, "port", 3306),
        .connect_timeout_s =
            (unsigned)host->get_integer(host, OSIRIS_CONNECTION, "connect_timeout", 10),
        .read_timeout_s =
            (unsigned)host->get_integer(host, OSIRIS_CONNECTION, "read_timeout", 3600),
    };
    if (take_host(target, host, host->get_string(host, OSIRIS_CONNECTION, "host", "127.0.0.1")) < 0 ||
        take_user(target, host) < 0 ||
        check_length(host, "database", target->database, NAME_LEN) < 0 ||
        check_socket(target, host) < 0)
        return -1;
    return mysql_tls_init(target, host);
}
