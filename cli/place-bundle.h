/* Bundles for places: what joins adapters (orchestrator/adapter/adapter-bundle.h) with orchestrator/bundle. */
#ifndef OSIRIS_CLI_PLACE_BUNDLE_H
#define OSIRIS_CLI_PLACE_BUNDLE_H

#include "orchestrator/adapter/adapter-bundle.h"

/* The folder in which bundles are kept; NULL: there is no cache. Free it. */
char *place_bundle_folder(void);

adapter_bundle_maker place_bundle_make;

#endif
