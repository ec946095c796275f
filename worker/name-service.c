/* Names; see name-service.h. */
#include "worker/name-service.h"

#include <stdlib.h>

#ifdef __GLIBC__
#include <nss.h>

static const struct {
    const char *database, *services;
} lookups[] = {
    {"hosts", "files dns"}, {"passwd", "files"},    {"group", "files"},  {"initgroups", "files"}, {"shadow", "files"},
    {"gshadow", "files"},   {"services", "files"},  {"protocols", "files"}, {"networks", "files"}, {"rpc", "files"},
    {"ethers", "files"},    {"netgroup", "files"},  {"aliases", "files"}, {"publickey", "files"},
};

void name_service_begin(void)
{
    if (getenv("OSIRIS_BUNDLE") == NULL)
        return;
    for (size_t i = 0; i < sizeof lookups / sizeof lookups[0]; i++)
        (void)__nss_configure_lookup(lookups[i].database, lookups[i].services);
}
#else
void name_service_begin(void)
{
}
#endif
