/* The scripts for the place's shell; see script.h. */
#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLES_KEPT 4

static char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *text, ...)
{
    va_list arguments;
    char *result = NULL;

    va_start(arguments, text);
    int length = vasprintf(&result, text, arguments);
    va_end(arguments);
    return length < 0 ? NULL : result;
}

/* A word of a script, whatever is in it. NULL: out of memory. */
static char *quote(const char *text)
{
    char *quoted = malloc(4 * strlen(text) + 3), *end = quoted;

    if (quoted == NULL)
        return NULL;
    *end++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            end = stpcpy(end, "'\\''");
        else
            *end++ = *text;
    }
    strcpy(end, "'");
    return quoted;
}

/* A member of the bundle's description: digits, letters and dots. */
static void member(const struct osiris_bundle *bundle, const char *name, char text[64])
{
    char key[64];

    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(bundle->description, key);
    text[0] = '\0';
    if (found != NULL)
        (void)sscanf(found + strlen(key), " \"%63[A-Za-z0-9._-]", text);
}

/* All of it is one command, so that the shell has read it when it begins, and what follows is left to the programs it starts. */
static const char start_script[] =
    "{\n"
    "printf '\\n%%s\\n' '" SAYS_BEGIN "%s'\n"
    "fail() { printf '\\n%%s\\n' 'osiris-place error '\"$1\"; exit 1; }\n"
    "mask=`umask`; umask 077\n"
    "bundle=%s; worker=%s; size=%lld; folder=%s\n"
    "machine=`uname -m` || fail 'it has no uname'\n"
    "[ \"$machine\" = %s ] || fail \"its processor is a $machine, but the bundle is for %s\"\n"
    "release=`uname -r`; major=${release%%%%.*}; minor=${release#*.}; minor=${minor%%%%[!0-9]*}\n"
    "[ \"$major\" -gt %d ] || { [ \"$major\" -eq %d ] && [ \"${minor:-0}\" -ge %d ]; } ||"
    " fail \"its Linux $release is too old, the bundle needs %d.%d\"\n"
    "if [ -z \"$folder\" ]; then\n"
    "  cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}\n"
    "  [ -n \"$cache\" ] || fail 'it has no HOME; set the option folder'\n"
    "  folder=$cache/osiris\n"
    "fi\n"
    "mkdir -p \"$folder/bundles\" \"$folder/runs\" || fail \"cannot create $folder\"\n"
    "folder=`cd \"$folder\" && pwd -P` || fail 'cannot use the folder'\n"
    "here=$folder/bundles/$bundle\n"
    "if [ ! -x \"$here/run\" ]; then\n"
    "  new=$here.new.$$\n"
    "  rm -rf \"$new\"; mkdir \"$new\" || fail \"cannot create $new\"\n"
    "  printf '\\n%%s\\n' '" SAYS_NEED "'\n"
    "  head -c \"$size\" | tar -xzf - -C \"$new\" && [ -x \"$new/run\" ] ||"
    " { rm -rf \"$new\"; fail 'cannot unpack the bundle'; }\n"
    "  [ -x \"$here/run\" ] || mv \"$new\" \"$here\"\n"
    "  rm -rf \"$new\" \"$here/${new##*/}\"\n"
    "  \"$here/run\" --prune \"$folder/bundles\" %d </dev/null >/dev/null 2>&1 &\n"
    "fi\n"
    "\"$here/run\" --sweep \"$folder/runs\" </dev/null >/dev/null 2>&1 &\n"
    "printf '\\n%%s\\n' '" SAYS_AT "'\"$folder\"\n"
    "umask \"$mask\"\n"
    "exec \"$here/run\" --start \"$folder/runs/$worker\" --bundle \"$here\"%s\n"
    "}\n";

char *script_start(const struct options *options, const struct osiris_bundle *bundle, const char *worker, const char *mark)
{
    char architecture[64], kernel[64];
    int major = 3, minor = 17;
    char *folder = quote(options->folder == NULL ? "" : options->folder);

    if (folder == NULL)
        return NULL;
    member(bundle, "architecture", architecture);
    member(bundle, "kernel", kernel);
    (void)sscanf(kernel, "%d.%d", &major, &minor);
    char *script = format(start_script, mark, bundle->hash, worker, (long long)bundle->size, folder, architecture, architecture, major, major,
                          minor, major, minor, BUNDLES_KEPT, options->keeps_bundle ? "" : " --remove \"$here\"");
    free(folder);
    return script;
}

/* `begin`: what comes first; `arguments`: what follows the folder of the worker. */
static char *command(const char *begin, const char *at, const char *hash, const char *worker, const char *verb, const char *arguments)
{
    char *folder = quote(at);
    char *script = folder == NULL
                       ? NULL
                       : format("{\n%sexec %s/bundles/%s/run --%s %s/runs/%s%s\n}\n", begin, folder, hash, verb, folder, worker, arguments);

    free(folder);
    return script;
}

char *script_relay(const char *at, const char *hash, const char *worker, long long log_offset, const char *mark)
{
    char arguments[64], begin[128];

    snprintf(begin, sizeof begin, "printf '\\n%%s\\n' '" SAYS_BEGIN "%s'\n", mark);
    snprintf(arguments, sizeof arguments, " --log-offset %lld", log_offset);
    return command(begin, at, hash, worker, "relay", arguments);
}

char *script_kill(const char *at, const char *hash, const char *worker, const char *how)
{
    char arguments[16];

    snprintf(arguments, sizeof arguments, " %s", how);
    return command("", at, hash, worker, "kill", arguments);
}

char *script_status(const char *at, const char *hash, const char *worker)
{
    return command("", at, hash, worker, "status", "");
}
