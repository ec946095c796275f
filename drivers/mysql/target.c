/*
 * Where to connect: the connection's fields, checked; see mysql-driver.h. The client library gives a host other meanings
 * than a host's: `a;b=c` is a connection string with any option, `x://…` a plug-in, `a,b` a list, and nothing localhost.
 * It takes its user from the environment if there is none, and cuts names that are too long.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>

#include "mysql-driver.h"
#include "verbs.h"

/* RFC 1035, 2.3.4 */
#define HOST_BYTES 253
#define LABEL_BYTES 63

/* What stands for a secret in the fields that `validate` gets. */
#define MASK "***MASKED***"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* The host. */

static bool consists_of(const char *text, size_t length, const char *bytes)
{
    return strspn(text, bytes) >= length;
}

/* Letters, digits, hyphens, and the underscores that containers have in their names. */
static bool is_label(const char *text, size_t length)
{
    return length > 0 && length <= LABEL_BYTES && text[0] != '-' && text[length - 1] != '-' &&
           consists_of(text, length, LETTERS DIGITS "-_");
}

/* A name whose last label is a number would be taken for an address, in one of the old forms (127.1, 0x7f000001). */
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

/* An interface may stand behind it: fe80::1%eth0. */
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

/* What may have been meant. The text itself is not shown: it may have a password in it. */
static const char *host_hint(const char *host)
{
    const char *colon = strrchr(host, ':');

    if (strstr(host, "://") != NULL || strncmp(host, "jdbc:", 5) == 0)
        return "a URL is not taken; give host, port, user, password and database as fields of their own";
    if (strchr(host, '@') != NULL)
        return "give the server alone, and user and password as fields of their own";
    if (strpbrk(host, ";=") != NULL)
        return "give the server alone; options of the client library are not taken here";
    if (strchr(host, ',') != NULL)
        return "give one host; a list of them is not taken";
    if (colon != NULL && colon[1] != '\0' && consists_of(colon + 1, strlen(colon + 1), DIGITS))
        return "give the port as a field of its own, port";
    if (host[0] == '.' || strchr(host, '/') != NULL)
        return "the path of a socket begins with /";
    for (const char *at = host; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            return "write a name with other letters than a to z as DNS has it (xn--...)";
    return NULL;
}

/* Nor is its line, if it is the step's own. */
static int refuse_host(const struct osiris_host *host, const char *text)
{
    bool is_own = host->value_type(host, OSIRIS_CONFIG, "host") > OSIRIS_NULL;

    return osiris_refuse(host, is_own && strpbrk(text, ":@;=/") != NULL ? NULL : "host", host_hint(text),
                         text[0] == '\0' ? "host is empty"
                                         : "host is not a DNS name, an IPv4 or IPv6 address, or the absolute path of a socket");
}

/* Nobody but `open` sees the secrets. A host that happens to have one in it is looked at there, and here roughly. */
static bool is_masked(const struct osiris_host *host, const char *text)
{
    return strcmp(mysql_verb(host), "validate") == 0 && strstr(text, MASK) != NULL;
}

/* Without its brackets, [::1] is what the library takes. */
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
    return osiris_refuse(host, option, NULL, "%s is longer than %zu bytes, and would be cut", option, most);
}

/* One that begins with @ would be an abstract one, and another is looked for where the worker happens to be. */
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
        return osiris_refuse(host, "username", "leave one of them out",
                             "the connection has both user and username, and they are not the same");
    target->user = user != NULL ? user : username;
    if (target->user == NULL)
        return osiris_refuse(host, "user", "give user in the connection",
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
