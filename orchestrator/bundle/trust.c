/* Certificates; see trust.h. */
#include "orchestrator/bundle/trust.h"

#include <string.h>

/* Beginnings of the names of libraries. */
static const char *const tls_libraries[] = {"lib/libssl.", "lib/libcrypto.", "lib/libgnutls.", "lib/libmbedtls.", "lib/libwolfssl."};

/* Debian, Arch, Alpine; Fedora; SUSE; OpenBSD's name, which many have. */
static const char *const bundles_of_certificates[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

/* This machine's own would be read by the same library with the same defaults; but it may name modules that are not in
 * the bundle. */
static const char openssl_configuration[] = "# OpenSSL's defaults, whatever the configuration of this machine.\n";

static bool has_library(const struct contents *contents, const char *beginning)
{
    for (size_t i = 0; i < contents->archive.count; i++)
        if (strncmp(contents->archive.members[i].path, beginning, strlen(beginning)) == 0)
            return true;
    return false;
}

static int add_openssl(struct contents *contents, struct osiris_error *error)
{
    /* Folders that are not there: no module of the place fits this library. */
    if (contents_add_text(contents, "etc/openssl.cnf", openssl_configuration, 0, error) < 0 ||
        contents_set_variable(contents, "OPENSSL_CONF", "etc/openssl.cnf", error) < 0 ||
        contents_set_variable(contents, "OPENSSL_MODULES", "lib/ossl-modules", error) < 0)
        return -1;
    return contents_set_variable(contents, "OPENSSL_ENGINES", "lib/engines", error);
}

static int add_certificates(struct contents *contents, struct osiris_error *error)
{
    for (size_t i = 0; i < sizeof bundles_of_certificates / sizeof bundles_of_certificates[0]; i++)
        if (access(bundles_of_certificates[i], R_OK) == 0)
            return contents_add_file(contents, "etc/ca-certificates.crt", bundles_of_certificates[i], 0, error);
    contents_warn(contents, "there are no certificates of authorities on this machine (Debian: ca-certificates), so servers can be "
                            "verified only with a certificate that a connection names");
    return 0;
}

int trust_add(struct contents *contents, struct osiris_error *error)
{
    bool uses_tls = false;

    for (size_t i = 0; i < sizeof tls_libraries / sizeof tls_libraries[0]; i++)
        uses_tls = uses_tls || has_library(contents, tls_libraries[i]);
    if (!uses_tls)
        return 0;
    if (add_certificates(contents, error) < 0 ||
        contents_set_variable(contents, "SSL_CERT_FILE", "etc/ca-certificates.crt", error) < 0 ||
        contents_set_variable(contents, "SSL_CERT_DIR", "etc/certificates", error) < 0)
        return -1;
    return has_library(contents, "lib/libcrypto.") ? add_openssl(contents, error) : 0;
}
