/*
 * Checks the spec of a driver or an adapter (docs/drivers.md) when its plug-in is loaded: what would make
 * every config invalid, or be silently ignored, is the author's mistake and is refused.
 */
#ifndef OSIRIS_CORE_PLUGIN_SPEC_CHECK_H
#define OSIRIS_CORE_PLUGIN_SPEC_CHECK_H

#include <json-c/json.h>
#include <stdbool.h>

/* NULL, or what is wrong and where ("configSchema/properties/port/type: …"; free it). */
char *spec_check(json_object *spec);

/* The same: whether the spec's modes are ones of a driver of that kind (OSIRIS_EXTRACTOR, …). The spec has passed spec_check. */
char *spec_check_kind(json_object *spec, int kind);

/* Letters, digits, '_', '-' and single dots between them, at most 63 characters. */
bool spec_name_is_valid(const char *name);

#endif
