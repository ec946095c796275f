/* What libraries for TLS read while they run: certificates of authorities, and OpenSSL's configuration. */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_TRUST_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_TRUST_H

#include "orchestrator/bundle/contents.h"

/* Does nothing if there is no library for TLS among the contents. */
int trust_add(struct contents *contents, struct osiris_error *error);

#endif
