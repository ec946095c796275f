/* Names; see name-service.h. */
#include "worker/name-service.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_in_bundle(void)
{
    return getenv("OSIRIS_BUNDLE") != NULL;
}

#ifdef __GLIBC__
#include <nss.h>

static const struct {
    const char *database, *services;
} lookups[] = {
    {"hosts", "files dns"}, {"passwd", "files"},    {"group", "files"},     {"initgroups", "files"}, {"shadow", "files"},
    {"gshadow", "files"},   {"services", "files"},  {"protocols", "files"}, {"networks", "files"},   {"rpc", "files"},
    {"ethers", "files"},    {"netgroup", "files"},  {"aliases", "files"},   {"publickey", "files"},
};

void name_service_begin(void)
{
    for (size_t i = 0; is_in_bundle() && i < sizeof lookups / sizeof lookups[0]; i++)
        (void)__nss_configure_lookup(lookups[i].database, lookups[i].services);
}
#else
void name_service_begin(void)
{
}
#endif

/* Whether the loopback addresses are the answer, and getaddrinfo without a name has the same one. */
static bool means_loopback(const char *name, const struct addrinfo *hints)
{
    const int other = AI_NUMERICHOST | AI_CANONNAME | AI_PASSIVE;

    return name != NULL && strcasecmp(name, "localhost") == 0 && (hints == NULL || (hints->ai_flags & other) == 0) &&
           is_in_bundle() && access("/etc/hosts", R_OK) < 0;
}

/* RFC 6761, 6.3, wants `localhost` to be known without asking anybody. glibc knows it from /etc/hosts; without one it asks a DNS
 * server, and where there is none that takes 16.8 s. Libraries and drivers find this definition before glibc's. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name, const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict found)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    if (next == NULL)
        return EAI_SYSTEM;
    return means_loopback(name, hints) ? next(NULL, service == NULL ? "0" : service, hints, found)
                                       : next(name, service, hints, found);
}
