/* Files and libraries; see contents.h. */
#include "orchestrator/bundle/contents.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/atomic-file.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/bundle/elf-file.h"
#include "orchestrator/bundle/libraries.h"

void contents_init(struct contents *contents)
{
    *contents = (struct contents){
        .sources = json_object_new_object(),
        .stripped = json_object_new_object(),
        .run_paths = json_object_new_array(),
        .environment = json_object_new_object(),
        .drivers = json_object_new_array(),
        .packages = json_object_new_object(),
        .warnings = json_object_new_array(),
    };
}

void contents_clear(struct contents *contents)
{
    archive_clear(&contents->archive);
    free(contents->loader);
    json_object_put(contents->sources);
    json_object_put(contents->stripped);
    json_object_put(contents->run_paths);
    json_object_put(contents->environment);
    json_object_put(contents->drivers);
    json_object_put(contents->packages);
    json_object_put(contents->warnings);
    *contents = (struct contents){0};
}

void contents_warn(struct contents *contents, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *text = memory_vformat(format, arguments);
    va_end(arguments);
    json_append(contents->warnings, json_string(text));
}

/* Files. */

static bool is_same_file(const char *a, const char *b)
{
    struct stat left, right;

    return strcmp(a, b) == 0 || (stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
                                 left.st_ino == right.st_ino);
}

static int check_path(const char *path, const char *source, struct osiris_error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-@~=,# /";

    if (path[strspn(path, allowed)] == '\0')
        return 0;
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" cannot be put into a bundle: its name has other characters than "
                     "letters, digits and ._+-@~=,# and blanks", source);
    return osiris_error_hint(error, "rename it");
}

static bool is_newer(const unsigned *a, const unsigned *b)
{
    for (int i = 0; i < 3; i++)
        if (a[i] != b[i])
            return a[i] > b[i];
    return false;
}

static int note_object(struct contents *contents, const char *path, const char *source, const char *bytes, size_t length,
                       struct osiris_error *error)
{
    struct elf_facts facts;

    if (elf_read(source, bytes, length, &facts, error) < 0)
        return -1;
    if (contents->architecture[0] == '\0')
        strcpy(contents->architecture, facts.architecture);
    if (strcmp(contents->architecture, facts.architecture) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is for another architecture (%s) than osiris-worker (%s)",
                                source, facts.architecture, contents->architecture);
    if (is_newer(facts.kernel, contents->kernel))
        memcpy(contents->kernel, facts.kernel, sizeof facts.kernel);
    if (facts.has_run_path)
        json_append(contents->run_paths, json_string(path));
    return 0;
}

static int add_bytes(struct contents *contents, const char *path, char *bytes, size_t length, int flags,
                     struct osiris_error *error)
{
    return archive_add(&contents->archive, strdup(path), bytes, length, (flags & CONTENTS_EXECUTABLE) != 0, error);
}

static int read_file(struct contents *contents, const char *path, const char *source, int flags, struct osiris_error *error)
{
    size_t length;
    _cleanup_free_ char *bytes = read_whole_file(source, ARCHIVE_MAXIMUM, &length, error);

    if (bytes == NULL)
        return -1;
    if (elf_is(bytes, length)) {
        if (note_object(contents, path, source, bytes, length, error) < 0)
            return -1;
        size_t kept = (flags & CONTENTS_STRIP) != 0 ? elf_strip(bytes, length) : length;
        if (kept < length)
            json_add(contents->stripped, path, NULL);
        length = kept;
    }
    contents_claim(contents, path, source);
    return add_bytes(contents, path, steal_pointer(&bytes), length, flags, error);
}

int contents_add_file(struct contents *contents, const char *path, const char *source, int flags, struct osiris_error *error)
{
    const char *other = json_member_string(contents->sources, path, NULL);

    if (check_path(path, source, error) < 0)
        return -1;
    if (other == NULL)
        return read_file(contents, path, source, flags, error);
    if (is_same_file(other, source))
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" and \"%s\" cannot both be in a bundle: both would be \"%s\"", other,
                            source, path);
}

int contents_add_text(struct contents *contents, const char *path, const char *text, int flags, struct osiris_error *error)
{
    return add_bytes(contents, path, strdup(text), strlen(text), flags, error);
}

void contents_claim(struct contents *contents, const char *path, const char *source)
{
    json_add_string(contents->sources, path, source);
}

char *contents_path(const struct contents *contents, const char *folder, const char *name, const char *source)
{
    const char *dot = strrchr(name, '.');
    int stem = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
    char *path = memory_format("%s/%s", folder, name);

    for (int number = 2;; number++) {
        const char *other = json_member_string(contents->sources, path, NULL);
        if (other == NULL || is_same_file(other, source))
            return path;
        free(path);
        path = memory_format("%s/%.*s-%d%s", folder, stem, name, number, name + stem);
    }
}

int contents_set_variable(struct contents *contents, const char *name, const char *path, struct osiris_error *error)
{
    const char *other = json_member_string(contents->environment, name, path);

    if (strcmp(other, path) != 0)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the variable %s cannot lead to both \"%s\" and \"%s\"", name, other,
                                path);
    json_add_string(contents->environment, name, path);
    return 0;
}

/* Libraries. */

static bool file_needs(const char *path, const char *library)
{
    size_t length;
    _cleanup_free_ char *bytes = read_whole_file(path, ARCHIVE_MAXIMUM, &length, NULL);

    return bytes != NULL && elf_needs(bytes, length, library);
}

/* Which of the files asks for a library, one of them or the one whose libraries they are. */
static const char *who_needs(const char *source, json_object *libraries, const char *library)
{
    if (file_needs(source, library))
        return source;
    json_object_object_foreach(libraries, name, path)
    {
        (void)name;
        if (path != NULL && file_needs(json_object_get_string(path), library))
            return json_object_get_string(path);
    }
    return source;
}

static int refuse_missing(const char *source, json_object *libraries, const char *library, struct osiris_error *error)
{
    const char *needer = who_needs(source, libraries, library);

    osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "\"%s\" needs the library \"%s\", which cannot be found", needer, library);
    if (strcmp(needer, source) != 0)
        osiris_error_prefix(error, "\"%s\"", source);
    return osiris_error_hint(error, "install it, or tell the dynamic loader where it is (ldconfig)");
}

/* In another place that path may lead to anything. */
static int refuse_path(const char *source, json_object *libraries, const char *library, struct osiris_error *error)
{
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" needs the library \"%s\" by its path, which cannot be in a bundle",
                     who_needs(source, libraries, library), library);
    return osiris_error_hint(error, "link it with a library that has a name (-Wl,-soname,NAME)");
}

int contents_add_libraries(struct contents *contents, const char *source, const char *preload, struct osiris_error *error)
{
    _cleanup_json_ json_object *libraries = libraries_list(contents->loader, source, preload, error);

    if (libraries == NULL)
        return -1;
    json_object_object_foreach(libraries, name, where)
    {
        _cleanup_free_ char *path = memory_format("lib/%s", name);
        if (strchr(name, '/') != NULL)
            return refuse_path(source, libraries, name, error);
        if (where == NULL)
            return refuse_missing(source, libraries, name, error);
        if (contents_add_file(contents, path, json_object_get_string(where), CONTENTS_STRIP, error) < 0)
            return -1;
    }
    return 0;
}
