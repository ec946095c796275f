/* x-runtime; see runtime-files.h. */
#include "orchestrator/bundle/runtime-files.h"

#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/bundle/elf-file.h"

#define DEPTH_MAXIMUM 16

static int add_tree(struct contents *contents, const char *path, const char *source, unsigned depth, struct osiris_error *error);

/* What programs and shared objects need comes along. */
static int add_regular(struct contents *contents, const char *path, const char *source, bool executable,
                       struct osiris_error *error)
{
    if (contents_add_file(contents, path, source, executable ? CONTENTS_EXECUTABLE : 0, error) < 0)
        return -1;
    /* If it was there already, it is not the last one. */
    const struct archive_member *last = &contents->archive.members[contents->archive.count - 1];
    return strcmp(last->path, path) == 0 && elf_is(last->bytes, last->length)
               ? contents_add_libraries(contents, source, NULL, error)
               : 0;
}

static int add_folder(struct contents *contents, const char *path, const char *source, unsigned depth,
                      struct osiris_error *error)
{
    _cleanup_dir_ DIR *folder = opendir(source);
    struct dirent *entry;

    if (folder == NULL)
        return osiris_error_set_errno(error, errno, "cannot read the folder \"%s\"", source);
    if (depth == DEPTH_MAXIMUM)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is nested too deeply", source);
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        _cleanup_free_ char *inner = memory_format("%s/%s", path, entry->d_name);
        _cleanup_free_ char *from = memory_format("%s/%s", source, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            add_tree(contents, inner, from, depth + 1, error) < 0)
            return -1;
    }
    return errno == 0 ? 0 : osiris_error_set_errno(error, errno, "cannot read the folder \"%s\"", source);
}

static int add_tree(struct contents *contents, const char *path, const char *source, unsigned depth, struct osiris_error *error)
{
    struct stat status;

    if (stat(source, &status) < 0)
        return osiris_error_set_errno(error, errno, "cannot read \"%s\"", source);
    if (S_ISDIR(status.st_mode))
        return add_folder(contents, path, source, depth, error);
    if (!S_ISREG(status.st_mode))
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "\"%s\" is neither a file nor a folder", source);
    return add_regular(contents, path, source, (status.st_mode & S_IXUSR) != 0, error);
}

/* Where a path of the spec is, here and in the bundle. A relative one starts at the driver's folder in both. */
static void locate(const struct contents *contents, const struct component *component, const char *driver, const char *path,
                   char **source, char **target)
{
    if (path[0] != '/') {
        _cleanup_free_ char *file = strdup(component->file);
        *source = memory_format("%s/%s", dirname(file), path);
        *target = memory_format("drivers/%s", path);
        return;
    }
    const char *name = strrchr(driver, '/') + 1;
    int stem = (int)strcspn(name, ".");
    _cleanup_free_ char *folder = memory_format("runtime/%.*s", stem, name), *copy = strdup(path);
    *source = strdup(path);
    *target = contents_path(contents, folder, basename(copy), path);
}

static int add_entry(struct contents *contents, const struct component *component, const char *driver, json_object *entry,
                     struct osiris_error *error)
{
    const char *path = json_member_string(entry, "path", ""), *variable = json_member_string(entry, "environment", NULL);
    _cleanup_free_ char *source = NULL, *target = NULL;

    locate(contents, component, driver, path, &source, &target);
    if (json_member_boolean(entry, "optional", false) && access(source, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (add_tree(contents, target, source, 0, error) < 0)
        return -1;
    contents_claim(contents, target, source);
    return variable == NULL ? 0 : contents_set_variable(contents, variable, target, error);
}

static void note_packages(struct contents *contents, json_object *runtime)
{
    json_object *names = json_member(json_member(runtime, "requirements"), "system");

    for (size_t i = 0; i < json_array_count(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        if (name != NULL)
            json_add(contents->packages, name, NULL);
    }
}

int runtime_files_add(struct contents *contents, const struct component *component, const char *driver,
                      struct osiris_error *error)
{
    json_object *runtime = json_member(component->spec, "x-runtime"), *files = json_member(runtime, "files");

    for (size_t i = 0; i < json_array_count(files); i++)
        if (add_entry(contents, component, driver, json_object_array_get_idx(files, i), error) < 0)
            return osiris_error_prefix(error, "%s: a file that the driver needs (x-runtime)", component->name);
    note_packages(contents, runtime);
    return 0;
}

bool runtime_allows_strip(const struct component *component)
{
    return json_member_boolean(json_member(component->spec, "x-runtime"), "strip", false);
}
