/*
 * Checks what a driver has left in its artifacts folder before anybody copies or opens it: files, folders, and links between
 * them may stay. Pipes, devices and sockets (opening them may block), links that lead out of the folder, and names that are not
 * a text of one line are removed and reported.
 */
#ifndef OSIRIS_CORE_OUTPUT_ARTIFACTS_H
#define OSIRIS_CORE_OUTPUT_ARTIFACTS_H

#include <json-c/json.h>

/* `text` says what was removed and why; at most a dozen times. */
typedef void artifacts_report(void *context, const char *text);

/* `folder` is one step's, and may be missing. Nobody may still be writing there. */
void artifacts_sweep(const char *folder, artifacts_report *report, void *context);
/* Sweeps the steps' folders that have appeared since `known` (folder_entries) was recorded; NULL: sweeps nothing. */
void artifacts_sweep_new(const char *folder, json_object *known, artifacts_report *report, void *context);

#endif
