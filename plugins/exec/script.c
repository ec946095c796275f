/* The scripts for the place's shell; see script.h. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD_BUNDLES_KEPT "3" /* beside the one that is used */

/* Where everything lies:
 *
 *   bundles/HASH             a bundle, as a whole
 *   bundles/private.WORKER   one that is not kept
 *   bundles/new.NODE.PID     one that is being unpacked, by the shell with that process id on that machine
 *   runs/HASH.…              a worker's folder. While it is there, nobody removes the bundle. It is made before the bundle is
 *                            looked for */
static const char begin[] =
    "say() { printf '\\n" SCRIPT_PLACE " %s %s\\n' \"$nonce\" \"$*\"; }\n"
    "fail() { rmdir \"$run\" 2>/dev/null; say failed \"$*\"; exit 1; }\n"
    "if [ -z \"$folder\" ]; then\n"
    "    folder=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}\n"
    "    [ -n \"$folder\" ] || fail 'it has no HOME; set the option folder'\n"
    "    folder=$folder/osiris/place\n"
    "fi\n"
    "run=$folder/runs/$worker\n"
    "bundle=$folder/bundles/$hash private=$folder/bundles/private.$worker\n"
    "[ ! -d \"$private\" ] || bundle=$private\n"
    "say begins\n";

static const char check_machine[] =
    "[ ! -t 0 ] || fail 'the command gives it a terminal; leave out -t'\n"
    "found=$(uname -m) || fail 'it has no uname'\n"
    "[ \"$found\" = \"$machine\" ] || fail \"its architecture is $found, and the bundle is for $machine\"\n"
    "found=$(uname -r); major=${found%%.*}; minor=${found#*.}; minor=${minor%%[!0-9]*}\n"
    "[ \"${major:-0}\" -gt \"$needed_major\" ] ||\n"
    "    { [ \"${major:-0}\" -eq \"$needed_major\" ] && [ \"${minor:-0}\" -ge \"$needed_minor\" ]; } ||\n"
    "    fail \"its Linux $found is too old; the bundle needs $needed_major.$needed_minor\"\n";

static const char make_folders[] =
    "before=$(umask); umask 077\n"
    "mkdir -p \"$folder/bundles\" \"$run\" || fail \"cannot create folders in $folder\"\n"
    "folder=$(cd \"$folder\" && pwd -P) || fail \"cannot use $folder\"\n"
    "case $folder in\n"
    "*[:\\;\\$]* | *'\n"
    "'*) fail \"the path $folder contains : ; $ or a newline; set the option folder\" ;;\n"
    "esac\n"
    "[ -O \"$folder/bundles\" ] || fail \"$folder/bundles belongs to another user; set the option folder\"\n"
    "run=$folder/runs/$worker\n"
    "bundle=$folder/bundles/$hash private=$folder/bundles/private.$worker\n"
    "[ ! -d \"$private\" ] || bundle=$private\n";

/* First there is room made. A bundle that a worker needs is put back. */
static const char unpack[] =
    "if [ ! -x \"$bundle/run\" ]; then\n"
    "    [ \"$keep\" = yes ] || bundle=$private\n"
    "    node=$(uname -n)\n"
    "    new=$folder/bundles/new.$node.$$\n"
    "    for old in \"$folder/bundles/new.$node\".*; do\n"
    "        [ -d \"$old\" ] && ! kill -0 \"${old##*.}\" 2>/dev/null && rm -rf \"$old\"\n"
    "    done\n"
    "    for old in \"$folder\"/bundles/private.*; do\n"
    "        [ -d \"$old\" ] && [ ! -d \"$folder/runs/${old##*/private.}\" ] && rm -rf \"$old\"\n"
    "    done\n"
    "    count=0\n"
    "    for old in $(ls -t \"$folder/bundles\" 2>/dev/null); do\n"
    "        case $old in *[!0-9a-f]* | \"$hash\") continue ;; esac\n"
    "        count=$((count + 1))\n"
    "        [ \"$count\" -gt " OLD_BUNDLES_KEPT " ] || continue\n"
    "        set -- \"$folder/runs/$old\".*\n"
    "        [ ! -e \"$1\" ] && mv \"$folder/bundles/$old\" \"$new\" || continue\n"
    "        set -- \"$folder/runs/$old\".*\n"
    "        if [ -e \"$1\" ]; then mv \"$new\" \"$folder/bundles/$old\"; else rm -rf \"$new\"; fi\n"
    "    done\n"
    "    trap 'rm -rf \"$new\"; rmdir \"$run\"; exit 1' HUP INT TERM PIPE\n"
    "    rm -rf \"$new\"\n"
    "    mkdir \"$new\" || fail \"cannot create $new\"\n"
    "    say wants\n"
    "    { head -c \"$size\" | gzip -dc && : >\"$new/whole\"; } | tar -xof - -C \"$new\" &&\n"
    "        [ -f \"$new/whole\" ] && [ -x \"$new/run\" ] || { rm -rf \"$new\"; fail 'cannot unpack the bundle'; }\n"
    "    rm -f \"$new/whole\"\n"
    "    [ ! -e \"$bundle\" ] || [ -x \"$bundle/run\" ] || rm -rf \"$bundle\"\n"
    "    [ -e \"$bundle\" ] || mv \"$new\" \"$bundle\"\n"
    "    rm -rf \"$new\" \"$bundle/${new##*/}\"\n"
    "    trap - HUP INT TERM PIPE\n"
    "    [ -x \"$bundle/run\" ] || fail \"cannot create $bundle\"\n"
    "else\n"
    "    touch \"$bundle\" 2>/dev/null\n"
    "fi\n";

/* What workers whose machine has been restarted have left. */
static const char sweep[] =
    "for old in \"$folder\"/runs/*; do\n"
    "    [ \"$old\" = \"$run\" ] && continue\n"
    "    \"$bundle/run\" --sweep \"$folder/runs\" </dev/null >/dev/null 2>&1 &\n"
    "    break\n"
    "done\n";

/* The relay alone has the standard input and output, so that their other ends see when it leaves. When the worker has ended, this waits
 * until its folder is gone. */
static const char relay[] =
    "say at \"${bundle##*/}\" \"$folder\"\n"
    "printf '\\n" SCRIPT_LOG " %s\\n' \"$nonce\" >&2\n"
    "umask \"${mask:-${before:-077}}\"\n"
    "exec 3<&0\n"
    "if [ \"$bundle\" = \"$private\" ] && [ \"$verb\" = start ]; then\n"
    "    \"$bundle/run\" --start \"$run\" --log-offset \"$offset\" --remove \"$bundle\" <&3 3<&- &\n"
    "else\n"
    "    \"$bundle/run\" \"--$verb\" \"$run\" --log-offset \"$offset\" <&3 3<&- &\n"
    "fi\n"
    "exec </dev/null >&2 3<&-\n"
    "wait \"$!\"\n"
    "code=$?\n"
    "printf '\\n" SCRIPT_EXIT " %s %s\\n' \"$nonce\" \"$code\" >&2\n"
    "if [ \"$code\" -lt 96 ] && [ -x \"$bundle/run\" ]; then \"$bundle/run\" --kill \"$run\" kill >/dev/null 2>&1; fi\n"
    "rmdir \"$run\" 2>/dev/null\n"
    "exit \"$code\"\n";

static const char status[] = "say answers \"$(\"$bundle/run\" --status \"$run\")\"\n"
                             "exit 0\n";

static const char ask[] = "\"$bundle/run\" --kill \"$run\" ask\n"
                          "exit 0\n";

static const char kill_worker[] = "if [ -d \"$run\" ] && [ -x \"$bundle/run\" ]; then\n"
                                  "    \"$bundle/run\" --kill \"$run\" kill >/dev/null\n"
                                  "fi\n"
                                  "rmdir \"$run\" 2>/dev/null\n"
                                  "[ -d \"$run\" ] || rm -rf \"$private\"\n"
                                  "[ -d \"$run\" ] || say answers done\n"
                                  "exit 0\n";

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

/* A member of the bundle's description whose text has neither quotes nor escapes. */
static void find_member(const struct osiris_bundle *bundle, const char *name, char text[64])
{
    char key[64];

    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(bundle->description, key);
    text[0] = '\0';
    if (found != NULL)
        (void)sscanf(found + strlen(key), " \"%63[A-Za-z0-9._-]", text);
}

static char *assign(const struct script_place *place, const char *nonce, const char *verb, int64_t log_offset)
{
    const struct osiris_bundle *bundle = place->bundle;
    char machine[64], kernel[64], mask[16] = "", *text = NULL;
    int major = 0, minor = 0;
    char *folder = quote(place->folder == NULL ? "" : place->folder);

    if (folder == NULL)
        return NULL;
    find_member(bundle, "architecture", machine);
    find_member(bundle, "kernel", kernel);
    (void)sscanf(kernel, "%d.%d", &major, &minor);
    if (place->umask >= 0)
        snprintf(mask, sizeof mask, "%03o", (unsigned)place->umask);
    if (asprintf(&text,
                 "nonce=%s worker=%s hash=%s size=%lld machine=%s needed_major=%d needed_minor=%d\n"
                 "verb=%s offset=%lld keep=%s mask=%s folder=%s\n",
                 nonce, place->worker, bundle->hash, (long long)bundle->size, machine, major, minor, verb, (long long)log_offset,
                 place->options->keeps_bundle ? "yes" : "no", mask, folder) < 0)
        text = NULL;
    free(folder);
    return text;
}

static char *compose(char *assignments, const char *const *parts)
{
    char *script = NULL;
    size_t size = 0;
    FILE *stream = assignments == NULL ? NULL : open_memstream(&script, &size);

    if (stream != NULL) {
        (void)fprintf(stream, "{\n%s", assignments);
        for (; *parts != NULL; parts++)
            (void)fputs(*parts, stream);
        (void)fputs("}\n", stream);
        const int failed = ferror(stream);
        if (fclose(stream) != 0 || failed) {
            free(script);
            script = NULL;
        }
    }
    free(assignments);
    return script;
}

char *script_start(const struct script_place *place, const char *nonce, int64_t log_offset)
{
    static const char *const parts[] = {begin, check_machine, make_folders, unpack, sweep, relay, NULL};

    return compose(assign(place, nonce, "start", log_offset), parts);
}

char *script_relay(const struct script_place *place, const char *nonce, int64_t log_offset)
{
    static const char *const parts[] = {begin, relay, NULL};

    return compose(assign(place, nonce, "relay", log_offset), parts);
}

char *script_status(const struct script_place *place, const char *nonce)
{
    static const char *const parts[] = {begin, status, NULL};

    return compose(assign(place, nonce, "status", 0), parts);
}

char *script_ask(const struct script_place *place, const char *nonce)
{
    static const char *const parts[] = {begin, ask, NULL};

    return compose(assign(place, nonce, "ask", 0), parts);
}

char *script_kill(const struct script_place *place, const char *nonce)
{
    static const char *const parts[] = {begin, kill_worker, NULL};

    return compose(assign(place, nonce, "kill", 0), parts);
}
