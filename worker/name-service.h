/*
 * Looking up names in a bundle (docs/bundle.md). The place's /etc/nsswitch.conf may name modules that are made for the
 * place's glibc, not for the bundle's, and that would be looked for in the place's folders. What is built into glibc is
 * enough: files and the DNS. And a place may have no /etc/hosts: `localhost` is known nevertheless, to whoever calls
 * getaddrinfo.
 */
#ifndef OSIRIS_WORKER_NAME_SERVICE_H
#define OSIRIS_WORKER_NAME_SERVICE_H

/* At the start of the process, before anything is looked up. Does nothing unless OSIRIS_BUNDLE is set. */
void name_service_begin(void);

#endif
