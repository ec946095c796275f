/* The registry of components; see registry.h. */
#include "orchestrator/registry/registry.h"

#include <osiris/driver.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "orchestrator/base/near-miss.h"
#include "core/plugin/kind.h"
#include "orchestrator/registry/registry-files.h"
#include "core/base/utf8.h"

#define REFUSALS_SHOWN 3
#define HINT_LIMIT (64u << 10)

static const char only_adapters[] = "it has execution adapters and no driver; move it to a folder of adapters";

struct entry {
    struct component component;
    json_object *description; /* owned; everything in `component` is borrowed from it */
    char **aliases;
    size_t folder; /* index of the search folder; an earlier one wins */
};

struct registry {
    struct entry *entries; /* sorted by name */
    size_t count, capacity;
    json_object *refused; /* [{file, error, names?}] */
};

static bool is_called(const struct component *component, const char *name)
{
    if (strcmp(component->name, name) == 0)
        return true;
    for (size_t i = 0; component->aliases[i] != NULL; i++)
        if (strcmp(component->aliases[i], name) == 0)
            return true;
    return false;
}

static void refuse(struct registry *registry, const char *file, const char *reason,
                   const char *name)
{
    json_object *entry = json_object_new_object();

    json_add_string(entry, "file", file);
    json_add_string(entry, "error", reason);
    json_add_string(entry, "component", name);
    json_append(registry->refused, entry);
}

static void free_entry(struct entry *entry)
{
    free(entry->aliases);
    json_object_put(entry->description);
}

static void add_entry(struct registry *registry, json_object *description, json_object *driver, size_t folder)
{
    json_object *aliases = json_member(driver, "aliases");
    size_t alias_count = json_array_count(aliases);
    struct entry entry = {.folder = folder};

    if (registry->count == registry->capacity) {
        registry->capacity = registry->capacity == 0 ? 16 : registry->capacity * 2;
        registry->entries = reallocarray(registry->entries, registry->capacity, sizeof *registry->entries);
    }
    entry.aliases = calloc(alias_count + 1, sizeof *entry.aliases);
    for (size_t i = 0; i < alias_count; i++)
        entry.aliases[i] =
            (char *)json_object_get_string(json_object_array_get_idx(aliases, i));
    entry.description = json_object_get(description);
    entry.component = (struct component){
        .name = json_member_string(driver, "name", ""),
        .aliases = (const char *const *)entry.aliases,
        .version = json_member_string(driver, "version", ""),
        .kind = kind_from_name(json_member_string(driver, "kind", "")),
        .spec = json_member(driver, "spec"),
        .file = json_member_string(description, "file", ""),
        .plugin = json_member_string(description, "plugin", ""),
        .validates = json_member_boolean(driver, "validates", false),
    };
    registry->entries[registry->count++] = entry;
}

/* The message starts with the file: plug-in "FILE": cannot be loaded: … */
static const char *without_file(const char *reason, const char *file)
{
    static const char before[] = "plug-in \"", behind[] = "\": ";
    size_t length = strlen(file), at = sizeof before - 1;

    if (strncmp(reason, before, at) != 0 || strncmp(reason + at, file, length) != 0 ||
        strncmp(reason + at + length, behind, sizeof behind - 1) != 0)
        return reason;
    return reason + at + length + sizeof behind - 1;
}

static void add_description(struct registry *registry, json_object *description, size_t folder)
{
    const char *file = json_member_string(description, "file", "?");
    const char *reason = json_member_string(description, "error", NULL);
    json_object *drivers = json_member(description, "drivers");

    if (reason != NULL) {
        refuse(registry, file, without_file(reason, file), NULL);
        return;
    }
    /* A message to a worker could not contain it. */
    if (!utf8_is_valid(file, strlen(file))) {
        refuse(registry, file, "its path is not UTF-8", NULL);
        return;
    }
    if (json_array_count(drivers) == 0) {
        refuse(registry, file, only_adapters, NULL);
        return;
    }
    for (size_t i = 0; i < json_array_count(drivers); i++) {
        json_object *driver = json_object_array_get_idx(drivers, i);
        if (kind_from_name(json_member_string(driver, "kind", "")) == 0 ||
            !json_object_is_type(json_member(driver, "spec"), json_type_object)) {
            refuse(registry, file, "its description is malformed", NULL);
            return;
        }
        add_entry(registry, description, driver, folder);
    }
}

static void remove_entry(struct registry *registry, size_t index)
{
    free_entry(&registry->entries[index]);
    memmove(&registry->entries[index], &registry->entries[index + 1],
            (registry->count - index - 1) * sizeof *registry->entries);
    registry->count--;
}

/* The first name that both have, or NULL. */
static const char *common_name(const struct component *a, const struct component *b)
{
    if (is_called(a, b->name))
        return b->name;
    for (size_t i = 0; b->aliases[i] != NULL; i++)
        if (is_called(a, b->aliases[i]))
            return b->aliases[i];
    return NULL;
}

static void refuse_clash(struct registry *registry, const struct entry *entry,
                         const struct entry *other, const char *name)
{
    _cleanup_free_ char *reason =
        memory_format("the component \"%s\" is in both \"%s\" and \"%s\" of the same folder; remove one of them", name,
                      entry->component.file, other->component.file);

    refuse(registry, entry->component.file, reason, name);
}

/* Of two entries with a common name the one in the earlier folder is kept; in the same folder, neither is. */
static void refuse_clashes(struct registry *registry)
{
    _cleanup_free_ bool *doomed = calloc(registry->count + 1, sizeof *doomed);

    for (size_t i = 0; i < registry->count; i++)
        for (size_t j = i + 1; j < registry->count; j++) {
            struct entry *a = &registry->entries[i], *b = &registry->entries[j];
            const char *name = common_name(&a->component, &b->component);
            if (name == NULL)
                continue;
            if (a->folder == b->folder) {
                doomed[i] = doomed[j] = true;
                refuse_clash(registry, a, b, name);
                refuse_clash(registry, b, a, name);
            } else {
                doomed[a->folder < b->folder ? j : i] = true;
            }
        }
    for (size_t i = registry->count; i-- > 0;)
        if (doomed[i])
            remove_entry(registry, i);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    return strcmp(left->component.name, right->component.name);
}

struct registry *registry_new_from_json(json_object *descriptions)
{
    struct registry *registry = calloc(1, sizeof *registry);

    registry->refused = json_object_new_array();
    for (size_t i = 0; i < json_array_count(descriptions); i++) {
        json_object *description = json_object_array_get_idx(descriptions, i);
        add_description(registry, description, (size_t)json_member_integer(description, "folder", 0));
    }
    refuse_clashes(registry);
    if (registry->count > 0)
        qsort(registry->entries, registry->count, sizeof *registry->entries, by_name);
    return registry;
}

struct registry *registry_new(const struct registry_options *options, struct osiris_error *error)
{
    _cleanup_json_ json_object *files = registry_describe_files(options, error);

    return files == NULL ? NULL : registry_new_from_json(files);
}

void registry_free(struct registry *registry)
{
    if (registry == NULL)
        return;
    for (size_t i = 0; i < registry->count; i++)
        free_entry(&registry->entries[i]);
    free(registry->entries);
    json_object_put(registry->refused);
    free(registry);
}

/* Look-up. */

static const char **all_names(const struct registry *registry, size_t *count)
{
    size_t total = 0, at = 0;

    for (size_t i = 0; i < registry->count; i++) {
        total++;
        for (size_t j = 0; registry->entries[i].aliases[j] != NULL; j++)
            total++;
    }
    const char **names = calloc(total + 1, sizeof *names);
    for (size_t i = 0; i < registry->count; i++) {
        names[at++] = registry->entries[i].component.name;
        for (size_t j = 0; registry->entries[i].aliases[j] != NULL; j++)
            names[at++] = registry->entries[i].aliases[j];
    }
    *count = at;
    return names;
}

/* Whether the file name matches the component: mysql.so for mysql.extractor. */
static bool is_of_family(json_object *refusal, const char *name)
{
    const char *file = json_member_string(refusal, "file", "");
    const char *slash = strrchr(file, '/');
    const char *base = slash == NULL ? file : slash + 1;
    size_t length = strcspn(name, ".");

    return strncmp(base, name, length) == 0 && strcmp(base + length, ".so") == 0;
}

static bool any_is_of_family(const struct registry *registry, const char *name)
{
    for (size_t i = 0; i < json_array_count(registry->refused); i++)
        if (is_of_family(json_object_array_get_idx(registry->refused, i), name))
            return true;
    return false;
}

/* Its components are unknown. */
static bool may_have_any(json_object *refusal)
{
    return strcmp(json_member_string(refusal, "error", ""), only_adapters) != 0;
}

/* The hint names the likeliest files, or the first ones. */
static void append_refused(struct buffer *hint, const struct registry *registry, const char *name)
{
    bool of_family = any_is_of_family(registry, name);
    size_t count = 0, shown = 0;

    for (size_t i = 0; i < json_array_count(registry->refused); i++) {
        json_object *refusal = json_object_array_get_idx(registry->refused, i);
        if (of_family ? !is_of_family(refusal, name) : !may_have_any(refusal))
            continue;
        if (count++ >= REFUSALS_SHOWN)
            continue;
        buffer_append_format(hint, "%s\"%s\": %s", shown++ > 0 ? "; " : "it may be in a refused file: ",
                             json_member_string(refusal, "file", "?"), json_member_string(refusal, "error", "?"));
    }
    if (count > shown)
        buffer_append_format(hint, "; and %zu more, see `osiris components list`", count - shown);
}

static int not_found(const struct registry *registry, const char *name, struct osiris_error *error)
{
    size_t count;
    _cleanup_free_ const char **names = all_names(registry, &count);
    _cleanup_buffer_ struct buffer refused = BUFFER_INIT(HINT_LIMIT);

    for (size_t i = 0; i < json_array_count(registry->refused); i++) {
        json_object *entry = json_object_array_get_idx(registry->refused, i);
        if (strcmp(json_member_string(entry, "component", ""), name) == 0)
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%s",
                                    json_member_string(entry, "error", ""));
    }
    osiris_error_set(error, OSIRIS_ERROR_NOT_FOUND, "there is no component \"%s\"", name);
    append_refused(&refused, registry, name);
    const char *suspects = refused.length > 0 && !refused.failed ? refused.data : "";
    _cleanup_free_ char *question =
        any_is_of_family(registry, name) ? NULL : near_miss_question(name, names, count);
    if (question != NULL)
        return osiris_error_hint(error, "%s%s%s", question, suspects[0] == '\0' ? "" : " Or ", suspects);
    if (suspects[0] != '\0')
        return osiris_error_hint(error, "%s", suspects);
    if (count > 0)
        return osiris_error_hint(error, "`osiris components list` shows all components");
    return osiris_error_hint(error, "no driver was found; --driver-dir and OSIRIS_DRIVER_PATH add folders");
}

const struct component *registry_find(struct registry *registry, const char *name,
                                      struct osiris_error *error)
{
    for (size_t i = 0; i < registry->count; i++)
        if (is_called(&registry->entries[i].component, name))
            return &registry->entries[i].component;
    not_found(registry, name, error);
    return NULL;
}

size_t registry_count(const struct registry *registry)
{
    return registry->count;
}

const struct component *registry_get(const struct registry *registry, size_t index)
{
    return &registry->entries[index].component;
}

json_object *registry_refused(const struct registry *registry)
{
    return registry->refused;
}
