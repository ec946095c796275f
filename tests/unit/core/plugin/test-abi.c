/* The public structs' layout in version 1.0: a driver compiled against it must go on working, so nothing here moves. A
 * new member comes behind the last, and gets a line here. (64-bit; other machines have their own fixed layout.) */
#include "unit.h"

#include <osiris/kit.h>
#include <osiris/plugin.h>
#include <stddef.h>

#if UINTPTR_MAX == UINT64_MAX
#define AT(structure, member, offset) {#structure "." #member, offsetof(struct structure, member), offset}

static const struct {
    const char *name;
    size_t offset, expected;
} layout[] = {
    AT(osiris_plugin, abi_version, 0), AT(osiris_plugin, struct_size, 4), AT(osiris_plugin, name, 8),
    AT(osiris_plugin, version, 16), AT(osiris_plugin, drivers, 24), AT(osiris_plugin, adapters, 32),
    AT(osiris_driver, struct_size, 0), AT(osiris_driver, kind, 4), AT(osiris_driver, name, 8),
    AT(osiris_driver, aliases, 16), AT(osiris_driver, version, 24), AT(osiris_driver, spec, 32),
    AT(osiris_driver, open, 40), AT(osiris_driver, run, 48), AT(osiris_driver, commit, 56),
    AT(osiris_driver, abort, 64), AT(osiris_driver, interrupt, 72), AT(osiris_driver, close, 80),
    AT(osiris_driver, check, 88), AT(osiris_driver, discover, 96), AT(osiris_driver, plan, 104),
    AT(osiris_driver, validate, 112),
    AT(osiris_adapter, struct_size, 0), AT(osiris_adapter, name, 8), AT(osiris_adapter, version, 16),
    AT(osiris_adapter, spec, 24), AT(osiris_adapter, open, 32), AT(osiris_adapter, prepare, 40),
    AT(osiris_adapter, execute, 48), AT(osiris_adapter, worker_exit, 56),
    AT(osiris_adapter, terminate, 64), AT(osiris_adapter, collect, 72), AT(osiris_adapter, close, 80),
    AT(osiris_adapter, reconnect, 88),
    AT(osiris_adapter_context, manifest, 8), AT(osiris_adapter_context, worker_path, 16),
    AT(osiris_adapter_context, driver_paths, 24), AT(osiris_adapter_context, environment, 32),
    AT(osiris_adapter_context, run_dir, 40), AT(osiris_adapter_context, artifacts_dir, 48),
    AT(osiris_adapter_context, standard_output, 56), AT(osiris_adapter_context, bundle, 64),
    AT(osiris_channel, socket, 4), AT(osiris_channel, diagnostics, 8), AT(osiris_channel, flags, 12),
    AT(osiris_channel, input, 16), AT(osiris_channel, output, 20), AT(osiris_channel, driver_paths, 24),
    AT(osiris_channel, artifacts_dir, 32), AT(osiris_channel, temp_dir, 40), AT(osiris_channel, working_dir, 48),
    AT(osiris_bundle, path, 8), AT(osiris_bundle, hash, 16), AT(osiris_bundle, size, 24),
    AT(osiris_bundle, driver_paths, 32), AT(osiris_bundle, description, 40),
    AT(osiris_worker_exit, state, 4), AT(osiris_worker_exit, code, 8),
    AT(osiris_input, name, 0), AT(osiris_input, step_id, 8), AT(osiris_input, stream, 16),
    AT(osiris_error_report, category, 4), AT(osiris_error_report, retryable, 8),
    AT(osiris_error_report, native_code, 12), AT(osiris_error_report, native_state, 16),
    AT(osiris_error_report, message, 24), AT(osiris_error_report, hint, 32),
    AT(osiris_error_report, option, 40),
    AT(osiris_output_options, flags, 4), AT(osiris_output_options, mode, 8),
    AT(osiris_output_options, initial_size, 16),
    AT(osiris_host, abi_version, 0), AT(osiris_host, struct_size, 4), AT(osiris_host, context, 8),
    AT(osiris_host, run_id, 16), AT(osiris_host, step_id, 24), AT(osiris_host, component, 32),
    AT(osiris_host, value_type, 40), AT(osiris_host, get_string, 48), AT(osiris_host, get_integer, 56),
    AT(osiris_host, get_number, 64), AT(osiris_host, get_boolean, 72), AT(osiris_host, get_count, 80),
    AT(osiris_host, get_json, 88), AT(osiris_host, log, 96), AT(osiris_host, event, 104),
    AT(osiris_host, metric, 112), AT(osiris_host, error, 120), AT(osiris_host, cancelled, 128),
    AT(osiris_host, artifacts_dir, 136), AT(osiris_host, temp_dir, 144),
    AT(osiris_host, open_input, 152), AT(osiris_host, open_output, 160),
    AT(osiris_host, finish_output, 168), AT(osiris_host, verb, 176), AT(osiris_host, result, 184),
    AT(ArrowSchema, release, 56), AT(ArrowArray, release, 64), AT(ArrowArrayStream, release, 24),
};

START_TEST(test_nothing_has_moved)
{
    for (size_t i = 0; i < sizeof layout / sizeof layout[0]; i++)
        ck_assert_msg(layout[i].offset == layout[i].expected, "%s is at %zu, was at %zu",
                      layout[i].name, layout[i].offset, layout[i].expected);
}
END_TEST
#else
START_TEST(test_nothing_has_moved)
{
    ck_assert_uint_eq(offsetof(struct osiris_plugin, abi_version), 0);
}
END_TEST
#endif

START_TEST(test_sizes_of_version_1_0)
{
    ck_assert_uint_eq(OSIRIS_PLUGIN_SIZE_1_0, sizeof(struct osiris_plugin));
    ck_assert_uint_eq(OSIRIS_DRIVER_SIZE_1_0, offsetof(struct osiris_driver, check));
    ck_assert_uint_eq(OSIRIS_ADAPTER_SIZE_1_0, offsetof(struct osiris_adapter, reconnect));
}
END_TEST

START_TEST(test_has_tells_old_structs_from_new)
{
    struct osiris_host host = {.struct_size = offsetof(struct osiris_host, open_output)};

    ck_assert(OSIRIS_HAS(&host, open_input));
    ck_assert(!OSIRIS_HAS(&host, open_output));
}
END_TEST

UNIT_MAIN("abi", test_nothing_has_moved, test_sizes_of_version_1_0,
          test_has_tells_old_structs_from_new)
