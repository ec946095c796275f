/*
 * What a driver has left in its artifacts folder, before anybody brings it home or opens it: files, folders, and links between
 * them. Pipes, devices and sockets (who opens them may wait for ever), links that lead out of the folder, and names that are no
 * text of one line are left out: they are removed, and told.
 */
#ifndef OSIRIS_CORE_OUTPUT_ARTIFACTS_H
#define OSIRIS_CORE_OUTPUT_ARTIFACTS_H

#include <json-c/json.h>

/* `text` says what was left out, and why; at most a dozen times. */
typedef void artifacts_report(void *context, const char *text);

/* `folder` is one step's. A missing one is fine. Nobody writes there any more. */
void artifacts_sweep(const char *folder, artifacts_report *report, void *context);
/* Of the folder that has the steps' folders: what has come since `known` (folder_entries) was made; NULL: nothing is known, nothing
 * is swept. */
void artifacts_sweep_new(const char *folder, json_object *known, artifacts_report *report, void *context);

#endif
