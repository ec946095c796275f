/* bundle.json; see description.h. */
#include "orchestrator/bundle/description.h"

#include <gnu/libc-version.h>
#include <string.h>

#include "core/base/fingerprint.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "orchestrator/bundle/launch.h"

static json_object *describe_file(const struct archive_member *member, json_object *stripped)
{
    json_object *file = json_object_new_object();
    char hash[FINGERPRINT_SIZE];

    fingerprint(member->bytes, member->length, hash);
    json_add_string(file, "path", member->path);
    json_add_integer(file, "size", (int64_t)member->length);
    json_add_string(file, "sha256", hash);
    if (member->executable)
        json_add_boolean(file, "executable", true);
    if (json_object_object_get_ex(stripped, member->path, NULL))
        json_add_boolean(file, "stripped", true);
    return file;
}

static json_object *describe_files(const struct contents *contents)
{
    json_object *files = json_object_new_array();

    for (size_t i = 0; i < contents->archive.count; i++)
        json_append(files, describe_file(&contents->archive.members[i], contents->stripped));
    return files;
}

static json_object *keys(json_object *object)
{
    json_object *list = json_object_new_array();

    json_object_object_foreach(object, key, unused)
    {
        (void)unused;
        json_append(list, json_string(key));
    }
    return list;
}

json_object *description_new(const struct contents *contents, const char *version)
{
    json_object *description = json_object_new_object();
    const unsigned *kernel = contents->kernel;
    _cleanup_free_ char *oldest = memory_format("%u.%u.%u", kernel[0], kernel[1], kernel[2]);
    _cleanup_free_ char *libc = memory_format("glibc %s", gnu_get_libc_version());

    json_add_integer(description, "format", DESCRIPTION_FORMAT);
    json_add_string(description, "osiris", version);
    json_add_string(description, "architecture", contents->architecture);
    json_add_string(description, "kernel", oldest);
    json_add_string(description, "libc", libc);
    json_add(description, "drivers", json_object_get(contents->drivers));
    json_add(description, "command", launch_command(contents));
    json_add(description, "environment", launch_environment(contents));
    json_add(description, "packages", keys(contents->packages));
    json_add(description, "files", describe_files(contents));
    return description;
}

/* Checking. */

static int damaged(struct osiris_error *error, const char *path, const char *what)
{
    return osiris_error_set(error, OSIRIS_ERROR_DATA, "it is damaged: \"%s\" %s", path, what);
}

static int check_file(const struct archive_member *member, json_object *file, struct osiris_error *error)
{
    char hash[FINGERPRINT_SIZE];

    if (strcmp(json_member_string(file, "path", ""), member->path) != 0)
        return damaged(error, member->path, "is not in its description");
    fingerprint(member->bytes, member->length, hash);
    if (json_member_integer(file, "size", -1) != (int64_t)member->length ||
        json_member_boolean(file, "executable", false) != member->executable ||
        strcmp(json_member_string(file, "sha256", ""), hash) != 0)
        return damaged(error, member->path, "is not what its description says");
    return 0;
}

/* Both lists have the same order. */
static int check_files(const struct archive *archive, json_object *files, struct osiris_error *error)
{
    size_t index = 0;

    for (size_t i = 0; i < archive->count; i++)
        if (strcmp(archive->members[i].path, DESCRIPTION_PATH) != 0 &&
            check_file(&archive->members[i], json_object_is_type(files, json_type_array)
                                                 ? json_object_array_get_idx(files, index++)
                                                 : NULL, error) < 0)
            return -1;
    if (index < json_array_count(files))
        return damaged(error, json_member_string(json_object_array_get_idx(files, index), "path", "?"), "is missing");
    return 0;
}

json_object *description_check(const struct archive *archive, struct osiris_error *error)
{
    const struct archive_member *member = archive_find(archive, DESCRIPTION_PATH);
    _cleanup_json_ json_object *description = member == NULL ? NULL : json_parse(member->bytes, NULL);

    if (description == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_DATA, "it is damaged, or no bundle: it has no " DESCRIPTION_PATH);
        return NULL;
    }
    int64_t format = json_member_integer(description, "format", 0);
    if (format != DESCRIPTION_FORMAT) {
        osiris_error_set(error, OSIRIS_ERROR_DATA, "it has the format %lld, and this osiris knows %d", (long long)format,
                         DESCRIPTION_FORMAT);
        return NULL;
    }
    return check_files(archive, json_member(description, "files"), error) < 0 ? NULL : steal_pointer(&description);
}
