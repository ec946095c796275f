/*
 * Whether the server's certificate is what `ssl` requires; see mysql-driver.h. Before version 3.4 Connector/C follows
 * the options. Since then it verifies by its own rules (plugins/auth/my_auth.c, libmariadb/ma_tls.c): no host name on
 * 127.0.0.1, always one elsewhere, and any certificate for an account whose plug-in proves it with the password. But
 * from 3.4.2 on it calls a callback instead, between the handshake and the login: the one in this file. It needs the
 * functions of the same OpenSSL that the library has loaded, because another copy could not read its data.
 */
#include <dlfcn.h>
#include <errmsg.h>
#include <stdio.h>

#include "mysql-driver.h"

#include <ma_pvio.h>

#if MARIADB_PACKAGE_VERSION_ID >= 30400
#define VERIFY_STATUS(mysql) ((mysql)->net.tls_verify_status)
#else
/* The same byte, which was unused before. */
#define VERIFY_STATUS(mysql) (*(unsigned char *)&(mysql)->net.unused_2)
#endif

/* mysql.h of 3.4.2 and newer: MARIADB_OPT_TLS_VERIFICATION_CALLBACK, and MARIADB_TLS_VERIFY_UNKNOWN, which no option permits. */
#define VERIFICATION_CALLBACK ((enum mysql_option)(MARIADB_OPT_SERVER_PLUGINS + 2))
#define NOT_VERIFIED 32

/* The start of a MARIADB_TLS (ma_tls.h, which cannot be included everywhere). */
struct handshake {
    void *data;
    MARIADB_PVIO *pvio;
    void *ssl;
};

/* Functions of OpenSSL 1.1 and newer; its types are not needed. */
struct openssl {
    long (*get_verify_result)(const void *ssl);
    void *(*get_peer_certificate)(const void *ssl);
    int (*check_host)(void *certificate, const char *name, size_t length, unsigned flags, char **peer);
    int (*check_ip)(void *certificate, const char *address, unsigned flags);
    void (*free)(void *certificate);
    const char *(*reason)(long result);
};

/* Whether the library supports a callback; any handle shows it. */
static bool asks(void)
{
    MYSQL *mysql = mysql_init(NULL);
    bool known = mysql != NULL && mysql_optionsv(mysql, VERIFICATION_CALLBACK, NULL) == 0;

    mysql_close(mysql);
    return known;
}

enum mysql_certificates mysql_certificates(void)
{
    if (mysql_get_client_version() < 30400)
        return MYSQL_CERTIFICATES_BY_LIBRARY;
    return asks() ? MYSQL_CERTIFICATES_BY_US : MYSQL_CERTIFICATES_UNKNOWN;
}

/* OpenSSL. */

/* False: neither the library nor what it is linked with has such a function. */
static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static bool find_all(void *library, struct openssl *openssl)
{
    return find(library, "SSL_get_verify_result", &openssl->get_verify_result) &&
           (find(library, "SSL_get1_peer_certificate", &openssl->get_peer_certificate) ||
            find(library, "SSL_get_peer_certificate", &openssl->get_peer_certificate)) &&
           find(library, "X509_check_host", &openssl->check_host) &&
           find(library, "X509_check_ip_asc", &openssl->check_ip) &&
           find(library, "X509_free", &openssl->free) &&
           find(library, "X509_verify_cert_error_string", &openssl->reason);
}

static bool uses_openssl(void)
{
    const char *name = NULL;

    return mariadb_get_infov(NULL, MARIADB_TLS_LIBRARY, &name) == 0 && name != NULL &&
           strncmp(name, "OpenSSL ", 8) == 0;
}

/* False: the client library uses another TLS library. */
static bool find_openssl(struct openssl *openssl)
{
    Dl_info client;

    if (!uses_openssl() || dladdr((void *)mysql_real_connect, &client) == 0)
        return false;
    void *library = dlopen(client.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL)
        return false;
    bool found = find_all(library, openssl);
    (void)dlclose(library);
    return found;
}

bool mysql_certificates_can_be_verified(void)
{
    struct openssl openssl;

    return mysql_certificates() == MYSQL_CERTIFICATES_BY_LIBRARY ||
           (mysql_certificates() == MYSQL_CERTIFICATES_BY_US && find_openssl(&openssl));
}

/* The callbacks return 0, or 1 with the reason in the handle. */

static int accept_certificate(MYSQL *mysql)
{
    /* Replaces what the library has set meanwhile. */
    VERIFY_STATUS(mysql) = 0;
    mysql->net.last_errno = 0;
    mysql->net.last_error[0] = '\0';
    return 0;
}

static int refuse_certificate(MYSQL *mysql, const char *reason)
{
    VERIFY_STATUS(mysql) = NOT_VERIFIED;
    mysql->methods->set_error(mysql, CR_SSL_CONNECTION_ERROR, "HY000", "TLS/SSL error: %s", reason);
    return 1;
}

static int check_identity(MYSQL *mysql, const struct openssl *openssl, void *certificate)
{
    if (openssl->check_host(certificate, mysql->host, strlen(mysql->host), 0, NULL) == 1 ||
        openssl->check_ip(certificate, mysql->host, 0) == 1)
        return accept_certificate(mysql);
    return refuse_certificate(mysql, "the server's certificate is not for this host");
}

static int check(const struct handshake *handshake, bool identity)
{
    MYSQL *mysql = handshake->pvio->mysql;
    struct openssl openssl;

    if (!find_openssl(&openssl))
        return refuse_certificate(mysql, "the client library lacks functions for verification");
    void *certificate = openssl.get_peer_certificate(handshake->ssl);
    if (certificate == NULL)
        return refuse_certificate(mysql, "the server has sent no certificate");
    long result = openssl.get_verify_result(handshake->ssl);
    int refused = result != 0  ? refuse_certificate(mysql, openssl.reason(result))
                  : !identity ? accept_certificate(mysql)
                              : check_identity(mysql, &openssl, certificate);
    openssl.free(certificate);
    return refused;
}

static int accept_any(void *handshake, unsigned flags)
{
    (void)flags;
    return accept_certificate(((const struct handshake *)handshake)->pvio->mysql);
}

static int check_authority_only(void *handshake, unsigned flags)
{
    (void)flags;
    return check(handshake, false);
}

static int check_all(void *handshake, unsigned flags)
{
    (void)flags;
    return check(handshake, true);
}

void mysql_certificates_set_callback(MYSQL *mysql, bool authority, bool identity)
{
    int (*callback)(void *, unsigned) = identity ? check_all : authority ? check_authority_only : accept_any;

    mysql_optionsv(mysql, VERIFICATION_CALLBACK, (void *)callback);
}
