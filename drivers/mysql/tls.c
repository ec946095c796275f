/*
 * The connection's `ssl`; see mysql-driver.h. What libmariadb (libmariadb/secure/openssl.c, plugins/auth/my_auth.c) makes of
 * its options, on which this file relies:
 *  - MYSQL_OPT_SSL_ENFORCE only requests TLS. If the server does not offer it, the login is sent unencrypted, unless the
 *    certificate is verified or has a fingerprint: then it fails before that. Before version 3.4 an empty
 *    fingerprint counts as one there, and is not compared later.
 *  - Before version 3.4: with a CA file the certificate's chain is verified, and the host's name only with
 *    MYSQL_OPT_SSL_VERIFY_SERVER_CERT. With that and no CA file, the system's authorities are trusted.
 *  - From 3.4.2 on a callback decides (certificate.c), only with MYSQL_OPT_SSL_VERIFY_SERVER_CERT.
 *  - The client plug-in of caching_sha2_password (plugins/auth/caching_sha2_pw.c) considers a connection encrypted as soon as
 *    TLS was requested, and then sends the password in clear text. So TLS must not be requested if the server does not
 *    offer it: `preferred` inspects the server's greeting first.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mysql-driver.h"

enum { DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY };

/* Client plug-ins that never reveal the password to an eavesdropper. */
#define DISCREET_PLUGINS                                                                           \
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,auth_gssapi_client,parsec"

static const char *const mode_names[] = {"disabled", "preferred", "required", "verify_ca",
                                         "verify_identity"};

/* Like MySQL's own client: a CA file is meant to be used. Nobody can eavesdrop on a socket. */
static int default_mode(const struct mysql_target *target)
{
    if (target->tls.ca != NULL)
        return VERIFY_CA;
    if (target->tls.certificate != NULL)
        return REQUIRED;
    return target->socket != NULL ? DISABLED : PREFERRED;
}

static int check(const struct mysql_tls *tls, const struct osiris_host *host)
{
    if (tls->mode == VERIFY_CA && tls->ca == NULL)
        return osiris_refuse(
            host, "/ssl/mode",
            "set ssl.ca, or use verify_identity, which knows the system's authorities",
            "ssl.mode verify_ca requires ssl.ca");
    if ((tls->key == NULL) != (tls->certificate == NULL))
        return osiris_refuse(host, tls->key == NULL ? "/ssl/cert" : "/ssl/key", NULL,
                             "ssl.cert and ssl.key go together");
    /* It allows ciphers without a certificate, so there would be nothing to verify. */
    if (tls->mode >= VERIFY_CA && tls->cipher != NULL && strstr(tls->cipher, "SECLEVEL=0") != NULL)
        return osiris_refuse(host, "/ssl/cipher", "use at least @SECLEVEL=1, the lowest level that requires a certificate",
                             "ssl.cipher has @SECLEVEL=0, and ssl.mode is %s", mode_names[tls->mode]);
    if (tls->mode == DISABLED && (tls->ca != NULL || tls->certificate != NULL))
        return osiris_refuse(host, "/ssl/mode", "remove the files or the mode",
                             "ssl.mode disabled uses no ssl.ca, ssl.cert or ssl.key");
    return 0;
}

/* How another version would interpret a mode is unknown; only modes that tolerate no encryption are safe. */
static int check_library(const struct mysql_tls *tls, const struct osiris_host *host)
{
    const char *library = NULL;
    bool verifies = tls->mode >= VERIFY_CA;

    if (tls->mode < REQUIRED ||
        (verifies ? mysql_certificates_can_be_verified() : mysql_certificates() != MYSQL_CERTIFICATES_UNKNOWN))
        return 0;
    (void)mariadb_get_infov(NULL, MARIADB_TLS_LIBRARY, &library);
    return osiris_fail(host, OSIRIS_ERROR_CONFIG, 0, 0, NULL,
                       "install libmariadb 3.3, or 3.4.2 or newer with OpenSSL, where the step runs",
                       "ssl.mode %s is not possible with the client library libmariadb %s (%s)", mode_names[tls->mode],
                       mysql_get_client_info(), library == NULL ? "without TLS" : library);
}

/* For a bad file, the library only reports that there is no connection, or treats the file as empty. */
static int check_file(const struct osiris_host *host, const char *option, const char *path)
{
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char byte;

    if (path == NULL)
        return 0;
    bool readable = fd >= 0 && read(fd, &byte, 1) >= 0;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (readable)
        return 0;
    return osiris_fail(host, OSIRIS_ERROR_IO, 0, reason, NULL,
                       "the files of ssl are read where the step runs",
                       "cannot read ssl.%s \"%s\": %s", option, path, strerror(reason));
}

int mysql_tls_init(struct mysql_target *target, const struct osiris_host *host)
{
    struct mysql_tls *tls = &target->tls;
    const char *mode = host->get_string(host, OSIRIS_CONNECTION, "/ssl/mode", NULL);

    tls->ca = host->get_string(host, OSIRIS_CONNECTION, "/ssl/ca", NULL);
    tls->certificate = host->get_string(host, OSIRIS_CONNECTION, "/ssl/cert", NULL);
    tls->key = host->get_string(host, OSIRIS_CONNECTION, "/ssl/key", NULL);
    tls->cipher = host->get_string(host, OSIRIS_CONNECTION, "/ssl/cipher", NULL);
    tls->mode = default_mode(target);
    for (int i = 0; mode != NULL && i <= VERIFY_IDENTITY; i++)
        if (strcmp(mode, mode_names[i]) == 0)
            tls->mode = i;
    tls->discreet = tls->mode < REQUIRED && target->socket == NULL;
    return check(tls, host);
}

int mysql_tls_check_files(const struct mysql_target *target, const struct osiris_host *host)
{
    const struct mysql_tls *tls = &target->tls;

    if (check_library(tls, host) < 0 || check_file(host, "ca", tls->ca) < 0 ||
        check_file(host, "cert", tls->certificate) < 0)
        return -1;
    return check_file(host, "key", tls->key);
}

void mysql_tls_prepare(const struct mysql_target *target, MYSQL *mysql)
{
    const struct mysql_tls *tls = &target->tls;
    const enum mysql_certificates verified = mysql_certificates();
    const bool by_us = verified == MYSQL_CERTIFICATES_BY_US;
    my_bool wanted = tls->mode >= REQUIRED, verify = by_us ? wanted : tls->mode == VERIFY_IDENTITY;

    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &wanted);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (tls->discreet)
        mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, DISCREET_PLUGINS);
    if (!wanted)
        return;
    if (by_us)
        mysql_certificates_set_callback(mysql, tls->mode >= VERIFY_CA, tls->mode == VERIFY_IDENTITY);
    else if (verified == MYSQL_CERTIFICATES_BY_LIBRARY)
        mysql_optionsv(mysql, MARIADB_OPT_SSL_FP, "");
    /* A CA file makes it verify. */
    if (tls->mode >= VERIFY_CA)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, tls->ca);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_CERT, tls->certificate);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_KEY, tls->key);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_CIPHER, tls->cipher);
}

bool mysql_tls_needs_greeting(const struct mysql_target *target)
{
    return target->tls.mode == PREFERRED;
}

/* Whether the greeting in the socket offers TLS; -1: it has not arrived completely. Protocol::HandshakeV10: length (3),
 * sequence (1), 10, version and NUL, thread (4), nonce (8), 0, capabilities (2). */
static int offers_tls(int socket)
{
    unsigned char bytes[512];
    ssize_t count = recv(socket, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    /* Closed, or an error instead of a greeting. */
    if (count == 0 || (count > 4 && bytes[4] != 10))
        return 0;
    const unsigned char *version_end = count < 6 ? NULL : memchr(bytes + 5, 0, (size_t)count - 5);
    if (version_end == NULL || bytes + count - version_end < 16)
        return count == sizeof bytes ? 0 : -1;
    unsigned capabilities = version_end[14] | (unsigned)version_end[15] << 8;
    return (capabilities & CLIENT_SSL) != 0;
}

bool mysql_tls_inspect_greeting(struct mysql_target *target, MYSQL *mysql, int socket)
{
    int offered = offers_tls(socket);

    if (offered < 0)
        return false;
    target->tls.mode = offered ? REQUIRED : DISABLED;
    mysql_tls_prepare(target, mysql);
    return true;
}

int mysql_tls_after_connect(const struct mysql_session *session)
{
    const struct mysql_target *target = &session->target;

    /* The library ensures this; the check is for versions that do not. */
    if (target->tls.mode >= REQUIRED && mysql_get_ssl_cipher(session->mysql) == NULL)
        return osiris_fail(session->host, OSIRIS_ERROR_CONNECTION, 0, 0, NULL,
                           "enable TLS on the server",
                           "the server at %s:%u does not encrypt, and ssl.mode is %s", target->host,
                           target->port, mode_names[target->tls.mode]);
    return 0;
}
