/*
 * bundle.json: what a bundle is, and what is in it.
 *
 *   { "format": 1, "osiris": version, "architecture": as `uname -m` says it, "kernel": the oldest Linux, "libc": "glibc 2.36",
 *     "drivers": [{"file", "components": [names]}], "command": [words], "environment": {variable: value} (launch.h),
 *     "packages": [what drivers say that they need of the system],
 *     "files": [{"path", "size", "sha256", "executable", "stripped"}] all but bundle.json; the last two only where true }
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_DESCRIPTION_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_DESCRIPTION_H

#include <json-c/json.h>

#include "orchestrator/bundle/contents.h"

#define DESCRIPTION_PATH "bundle.json"
#define DESCRIPTION_FORMAT 1

/* The contents are sorted and complete but for it. The caller owns it. */
json_object *description_new(const struct contents *contents, const char *version);

/* The description in an archive, whose members have been checked by it. The caller owns it. NULL with the error set. */
json_object *description_check(const struct archive *archive, struct osiris_error *error);

#endif
