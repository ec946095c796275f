/* Bundles; see bundle.h. */
#include "orchestrator/bundle/bundle.h"

#include <string.h>

#include "core/base/atomic-file.h"
#include "core/base/json-build.h"
#include "core/base/json-text.h"
#include "core/base/memory.h"
#include "orchestrator/bundle/cache.h"
#include "orchestrator/bundle/contents.h"
#include "orchestrator/bundle/description.h"
#include "orchestrator/bundle/elf-file.h"
#include "orchestrator/bundle/launch.h"
#include "orchestrator/bundle/pack.h"
#include "orchestrator/bundle/runtime-files.h"
#include "orchestrator/bundle/trust.h"

#define WORKER_PATH "bin/osiris-worker"

/* What glibc loads by itself: libgcc_s when a thread is cancelled or calls pthread_exit, and, before 2.34, the modules that look names up. */
static const char loaded_by_libc[] = "libgcc_s.so.1 libnss_files.so.2 libnss_dns.so.2";

/* What the worker and others do without asking first: getrandom (3.17), O_TMPFILE (3.11). */
static const unsigned kernel_minimum[3] = {3, 17, 0};

void bundle_clear(struct bundle *bundle)
{
    free(bundle->path);
    json_object_put(bundle->description);
    json_object_put(bundle->warnings);
    *bundle = (struct bundle){0};
}

/* Contents. */

/* The dynamic loader that the worker asks for. Only glibc's has what a bundle needs. */
static int find_loader(struct contents *contents, const char *worker, struct osiris_error *error)
{
    size_t length;
    _cleanup_free_ char *bytes = read_whole_file(worker, ARCHIVE_MAXIMUM, &length, error);
    struct elf_facts facts;

    if (bytes == NULL || elf_read(worker, bytes, length, &facts, error) < 0)
        return -1;
    if (facts.interpreter[0] != '/' || strstr(facts.interpreter, "/ld-musl-") != NULL)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG,
                                "\"%s\" is not linked with glibc, so it cannot be put into a bundle", worker);
    contents->loader = strdup(facts.interpreter);
    return 0;
}

static int add_worker(struct contents *contents, const char *worker, struct osiris_error *error)
{
    if (find_loader(contents, worker, error) < 0)
        return -1;
    _cleanup_free_ char *loader = memory_format("lib/%s", strrchr(contents->loader, '/') + 1);
    memcpy(contents->kernel, kernel_minimum, sizeof kernel_minimum);
    if (contents_add_file(contents, WORKER_PATH, worker, CONTENTS_EXECUTABLE | CONTENTS_STRIP, error) < 0 ||
        contents_add_file(contents, loader, contents->loader, CONTENTS_EXECUTABLE | CONTENTS_STRIP, error) < 0)
        return -1;
    return contents_add_libraries(contents, worker, loaded_by_libc, error);
}

/* {file, components} of a driver in the bundle. */
static json_object *driver_entry(struct contents *contents, const char *path)
{
    for (size_t i = 0; i < json_object_array_length(contents->drivers); i++) {
        json_object *entry = json_object_array_get_idx(contents->drivers, i);
        if (strcmp(json_object_get_string(json_object_object_get(entry, "file")), path) == 0)
            return entry;
    }
    json_object *entry = json_object_new_object();
    json_add_string(entry, "file", path);
    json_add(entry, "components", json_object_new_array());
    json_append(contents->drivers, entry);
    return entry;
}

static int add_driver(struct contents *contents, const struct component *component, struct osiris_error *error)
{
    _cleanup_free_ char *path =
        contents_path(contents, "drivers", strrchr(component->file, '/') + 1, component->file);
    int flags = runtime_allows_strip(component) ? CONTENTS_STRIP : 0;

    if (contents_add_file(contents, path, component->file, flags, error) < 0 ||
        contents_add_libraries(contents, component->file, NULL, error) < 0 ||
        runtime_files_add(contents, component, path, error) < 0)
        return -1;
    json_append(json_object_object_get(driver_entry(contents, path), "components"), json_string(component->name));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct component *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

/* Whatever the order in which they are asked for. */
static int add_drivers(struct contents *contents, const struct bundle_options *options, struct osiris_error *error)
{
    _cleanup_free_ const struct component **components = calloc(options->component_count + 1, sizeof *components);

    memcpy(components, options->components, options->component_count * sizeof *components);
    qsort(components, options->component_count, sizeof *components, by_name);
    for (size_t i = 0; i < options->component_count; i++)
        if ((i == 0 || components[i] != components[i - 1]) && add_driver(contents, components[i], error) < 0)
            return -1;
    return 0;
}

char *bundle_description_text(const struct bundle *bundle)
{
    const int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

    return memory_format("%s\n", json_text(bundle->description, flags, NULL));
}

/* Everything but the description. */
static int gather(struct contents *contents, const struct bundle_options *options, struct osiris_error *error)
{
    if (add_worker(contents, options->worker_path, error) < 0 || add_drivers(contents, options, error) < 0 ||
        trust_add(contents, error) < 0)
        return -1;
    _cleanup_free_ char *script = launch_script(contents);
    return contents_add_text(contents, "run", script, CONTENTS_EXECUTABLE, error);
}

static int describe(struct contents *contents, const char *version, struct bundle *bundle, struct osiris_error *error)
{
    archive_sort(&contents->archive);
    bundle->description = description_new(contents, version);
    _cleanup_free_ char *lines = bundle_description_text(bundle);
    if (contents_add_text(contents, DESCRIPTION_PATH, lines, 0, error) < 0)
        return -1;
    archive_sort(&contents->archive);
    return 0;
}

/* Writing. */

/* A bundle that is written to another file need not be in the cache. */
static int write_new(const struct contents *contents, const struct pack_identity *identity,
                     const struct bundle_options *options, struct bundle *bundle, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer bytes = BUFFER_INIT(ARCHIVE_MAXIMUM);

    if (pack_write(&contents->archive, &bytes, error) < 0)
        return -1;
    bundle->is_new = true;
    bundle->size = (int64_t)bytes.length;
    if (options->output == NULL)
        return cache_write(options->cache_dir, identity, bytes.data, bytes.length, error);
    if (options->cache_dir != NULL)
        (void)cache_write(options->cache_dir, identity, bytes.data, bytes.length, NULL);
    return atomic_file_write(options->output, bytes.data, bytes.length, 0644, error);
}

static int copy_file(const char *from, const char *to)
{
    size_t length;
    _cleanup_free_ char *bytes = read_whole_file(from, ARCHIVE_MAXIMUM, &length, NULL);

    return bytes == NULL ? -1 : atomic_file_write(to, bytes, length, 0644, NULL);
}

static int write_bundle(const struct contents *contents, const struct bundle_options *options, struct bundle *bundle,
                        struct osiris_error *error)
{
    struct pack_identity identity;

    pack_identify(&contents->archive, &identity);
    memcpy(bundle->hash, identity.hash, sizeof bundle->hash);
    bundle->unpacked_size = (int64_t)contents->archive.length;
    bundle->size = options->cache_dir == NULL ? -1 : cache_find(options->cache_dir, &identity);
    _cleanup_free_ char *cached = options->cache_dir == NULL ? NULL : cache_path(options->cache_dir, &identity);
    bundle->path = strdup(options->output != NULL ? options->output : cached);
    if (bundle->size >= 0 && (options->output == NULL || copy_file(cached, options->output) == 0))
        return 0;
    /* Somebody may have removed it meanwhile. */
    return write_new(contents, &identity, options, bundle, error);
}

int bundle_create(const struct bundle_options *options, struct bundle *bundle, struct osiris_error *error)
{
    _cleanup_contents_ struct contents contents;

    *bundle = (struct bundle){0};
    contents_init(&contents);
    if (options->cache_dir == NULL && options->output == NULL) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "there is no cache folder to put the bundle into");
        return osiris_error_hint(error, "set XDG_CACHE_HOME or HOME, or say where with --output");
    }
    if (gather(&contents, options, error) < 0 || describe(&contents, options->version, bundle, error) < 0 ||
        write_bundle(&contents, options, bundle, error) < 0) {
        bundle_clear(bundle);
        return -1;
    }
    bundle->warnings = json_object_get(contents.warnings);
    return 0;
}

/* Reading. */

/* A file that is named after a hash, as those in the cache are. */
static int check_name(const char *path, const char *hash, struct osiris_error *error)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;

    if (strspn(name, "0123456789abcdef") != FINGERPRINT_SIZE - 1 || strncmp(name, hash, FINGERPRINT_SIZE - 1) == 0)
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_DATA, "it is not what its name says, but has the hash %s", hash);
}

static int read_bytes(const char *path, const char *bytes, size_t length, struct bundle *bundle, struct osiris_error *error)
{
    _cleanup_archive_ struct archive archive = {0};
    struct pack_identity identity;

    if (pack_read(bytes, length, &archive, &identity, error) < 0)
        return -1;
    bundle->description = description_check(&archive, error);
    if (bundle->description == NULL || check_name(path, identity.hash, error) < 0)
        return -1;
    memcpy(bundle->hash, identity.hash, sizeof bundle->hash);
    bundle->size = (int64_t)length;
    bundle->unpacked_size = (int64_t)archive.length;
    return 0;
}

int bundle_read(const char *path, struct bundle *bundle, struct osiris_error *error)
{
    size_t length;
    _cleanup_free_ char *bytes = read_whole_file(path, ARCHIVE_MAXIMUM, &length, error);

    *bundle = (struct bundle){.path = strdup(path)};
    if (bytes != NULL && read_bytes(path, bytes, length, bundle, error) == 0)
        return 0;
    if (bytes != NULL)
        osiris_error_prefix(error, "\"%s\"", path);
    bundle_clear(bundle);
    return -1;
}
