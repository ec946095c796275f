/* Command and script; see launch.h. */
#include "orchestrator/bundle/launch.h"

#include <string.h>

#include "core/base/buffer.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"

/* The worker looks names up in files and in the DNS alone when this is set (worker/name-service.h). */
#define BUNDLE_VARIABLE "OSIRIS_BUNDLE"

static void append_run_paths(struct buffer *list, json_object *paths)
{
    for (size_t i = 0; i < json_array_count(paths); i++)
        buffer_append_format(list, "%s" LAUNCH_FOLDER "/%s", i == 0 ? "" : ":",
                             json_object_get_string(json_object_array_get_idx(paths, i)));
}

json_object *launch_command(const struct contents *contents)
{
    _cleanup_free_ char *loader = memory_format(LAUNCH_FOLDER "/lib/%s", strrchr(contents->loader, '/') + 1);
    _cleanup_buffer_ struct buffer run_paths = BUFFER_INIT(16u << 20);
    json_object *command = json_object_new_array();

    json_append(command, json_string(loader));
    json_append(command, json_string("--inhibit-cache"));
    append_run_paths(&run_paths, contents->run_paths);
    if (run_paths.length > 0) {
        json_append(command, json_string("--inhibit-rpath"));
        json_append(command, json_string(run_paths.data));
    }
    json_append(command, json_string("--library-path"));
    json_append(command, json_string(LAUNCH_FOLDER "/lib"));
    json_append(command, json_string(LAUNCH_FOLDER "/bin/osiris-worker"));
    return command;
}

json_object *launch_environment(const struct contents *contents)
{
    json_object *environment = json_object_new_object();

    json_add_string(environment, BUNDLE_VARIABLE, LAUNCH_FOLDER);
    json_object_object_foreach(contents->environment, name, path)
    {
        _cleanup_free_ char *value = memory_format(LAUNCH_FOLDER "/%s", json_object_get_string(path));
        json_add_string(environment, name, value);
    }
    return environment;
}

/* `unset` is a special built-in, whose failure (a read-only variable) would end the shell. */
static const char script_begin[] =
    "#!/bin/sh\n"
    "# Starts osiris-worker with the libraries of this folder and with none of the place's, whatever its environment is.\n"
    "# Arguments are osiris-worker's.\n"
    "IFS='\n'\n"
    "set -f\n"
    "for line in $(export -p); do\n"
    "    name=${line#export }\n"
    "    name=${name#declare -x }\n"
    "    name=${name%%=*}\n"
    "    case $name in\n"
    "    '' | [0-9]* | *[!A-Za-z0-9_]*) ;;\n"
    "    *) command unset \"$name\" 2>/dev/null ;;\n"
    "    esac\n"
    "done\n"
    "case $0 in\n"
    "*/*) bundle=${0%/*}/ ;;\n"
    "*) bundle=. ;;\n"
    "esac\n"
    "bundle=$(CDPATH= cd -- \"$bundle\" && pwd -P) || exit 126\n"
    "case $bundle in\n"
    "*[:\\;\\$]*)\n"
    "    echo \"$0: the path of a bundle's folder must not contain : ; or \\$\" >&2\n"
    "    exit 126\n"
    "    ;;\n"
    "esac\n";

/* A value with the folder's variable for its placeholder, in quotes; see contents.h for what a path may contain. */
static void append_word(struct buffer *script, const char *word)
{
    const char *next;

    buffer_append_char(script, '"');
    for (; (next = strstr(word, LAUNCH_FOLDER)) != NULL; word = next + strlen(LAUNCH_FOLDER)) {
        buffer_append(script, word, (size_t)(next - word));
        buffer_append_text(script, "$bundle");
    }
    buffer_append_text(script, word);
    buffer_append_char(script, '"');
}

char *launch_script(const struct contents *contents)
{
    _cleanup_json_ json_object *command = launch_command(contents), *environment = launch_environment(contents);
    struct buffer script = BUFFER_INIT(32u << 20);

    buffer_append_text(&script, script_begin);
    json_object_object_foreach(environment, name, value)
    {
        buffer_append_format(&script, "export %s=", name);
        append_word(&script, json_object_get_string(value));
        buffer_append_char(&script, '\n');
    }
    buffer_append_text(&script, "exec");
    for (size_t i = 0; i < json_array_count(command); i++) {
        buffer_append_char(&script, ' ');
        append_word(&script, json_object_get_string(json_object_array_get_idx(command, i)));
    }
    buffer_append_text(&script, " \"$@\"\n");
    return buffer_steal(&script);
}
