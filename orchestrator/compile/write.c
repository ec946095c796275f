/* Writing a compiled pipeline below build/ and its pointers below .osiris/index/; see compile.h. */
#include <stdio.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "orchestrator/base/canonical-json.h"
#include "orchestrator/compile/compile.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/base/memory.h"

#define TEXT_LIMIT (512u << 20)

static int write_text(const char *folder, const char *name, const struct buffer *text,
                      struct osiris_error *error)
{
    _cleanup_free_ char *path = memory_format("%s/%s", folder, name);

    if (text->failed)
        return osiris_error_set_errno(error, EFBIG, "cannot write \"%s\"", name);
    /* An unchanged pipeline compiles to the same files, and rewriting them would be most of a short run's disk time. */
    if (atomic_file_holds(path, text->data, text->length))
        return 0;
    return atomic_file_write(path, text->data, text->length, 0644, error);
}

static int write_json(const char *folder, const char *name, json_object *value,
                      struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(TEXT_LIMIT);

    canonical_json(value, &text);
    buffer_append_char(&text, '\n');
    return write_text(folder, name, &text, error);
}

static int write_configs(const struct compiled *compiled, const char *folder,
                         struct osiris_error *error)
{
    _cleanup_free_ char *configs = memory_format("%s/cfg", folder);

    if (make_directories(configs, 0755, error) < 0)
        return -1;
    json_object_object_foreach(compiled->configs, id, config)
    {
        char name[160];
        snprintf(name, sizeof name, "%s.json", id);
        if (write_json(configs, name, config, error) < 0)
            return -1;
    }
    return 0;
}

static json_object *run_summary(const struct compiled *compiled)
{
    json_object *summary = json_object_new_object();

    json_add_string(summary, "pipeline", compiled->slug);
    json_add_string(summary, "profile",
                    compiled->profile == NULL ? "default" : compiled->profile);
    json_add_string(summary, "manifest_hash", compiled->manifest_hash);
    json_add_integer(summary, "steps",
                     (int64_t)compiled->plan->step_count);
    return summary;
}

static int write_build(const struct compiled *compiled, const char *folder,
                       struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer manifest = BUFFER_INIT(TEXT_LIMIT);
    _cleanup_json_ json_object *summary = run_summary(compiled);
    json_object *prints =
        json_member(json_member(compiled->manifest, "pipeline"), "fingerprints");

    canonical_yaml(compiled->manifest, &manifest);
    if (write_configs(compiled, folder, error) < 0 ||
        write_json(folder, "plan.json", compiled->plan->json, error) < 0 ||
        write_json(folder, "fingerprints.json", prints, error) < 0 ||
        write_json(folder, "run_summary.json", summary, error) < 0)
        return -1;
    /* Written last: a build with a manifest is complete. */
    return write_text(folder, "manifest.yaml", &manifest, error);
}

static int write_pointers(const struct compiled *compiled, const char *base, const char *parent,
                          const char *folder, struct osiris_error *error)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 16);
    _cleanup_free_ char *index = memory_format("%s.osiris/index", base);
    _cleanup_free_ char *latest = memory_format("%s/latest", index);
    char name[160];

    buffer_append_format(&text, "%s/manifest.yaml\n%s\n%s\n", folder, compiled->manifest_hash,
                         compiled->profile == NULL ? "" : compiled->profile);
    snprintf(name, sizeof name, "%s.txt", compiled->slug);
    if (make_directories(latest, 0755, error) < 0 ||
        write_text(parent, "LATEST", &text, error) < 0 ||
        write_text(index, "last_compile.txt", &text, error) < 0)
        return -1;
    return write_text(latest, name, &text, error);
}

int compiled_write(const struct compiled *compiled, const char *base_dir, char **directory,
                   struct osiris_error *error)
{
    bool here = base_dir == NULL || strcmp(base_dir, ".") == 0;
    _cleanup_free_ char *base = memory_format("%s%s", here ? "" : base_dir, here ? "" : "/");
    _cleanup_free_ char *parent =
        memory_format("%sbuild/pipelines/%s%s%s", base, compiled->profile == NULL ? "" : compiled->profile,
                      compiled->profile == NULL ? "" : "/", compiled->slug);
    _cleanup_free_ char *folder =
        memory_format("%s/%s-%s", parent, compiled->manifest_short, compiled->manifest_hash);

    /* Not synced, because all of this can be recreated from the pipeline. */
    if (make_directories(folder, 0755, error) < 0 || write_build(compiled, folder, error) < 0 ||
        write_pointers(compiled, base, parent, folder, error) < 0)
        return -1;
    *directory = steal_pointer(&folder);
    return 0;
}
