/*
 * How a bundle's worker is started: by the bundle's own dynamic loader, with nothing in the environment but variables
 * that lead into the bundle. Once as a command for those who can start a program with an environment, and once as a
 * script (`run`) for a POSIX shell.
 */
#ifndef OSIRIS_ORCHESTRATOR_BUNDLE_LAUNCH_H
#define OSIRIS_ORCHESTRATOR_BUNDLE_LAUNCH_H

#include <json-c/json.h>

#include "orchestrator/bundle/contents.h"

/* Stands for the absolute path of the folder with the unpacked bundle, which must be without ':', ';' and '$'. */
#define LAUNCH_FOLDER "{bundle}"

/* [word], to be followed by the worker's arguments; and {variable: value}. The caller owns them. */
json_object *launch_command(const struct contents *contents);
json_object *launch_environment(const struct contents *contents);

/* Free it. */
char *launch_script(const struct contents *contents);

#endif
