# The real binary, driven by Python.
cli_tests = \
	tests/cli/test_bad_drivers.py \
	tests/cli/test_bad_pipelines.py \
	tests/cli/test_csv_files.py \
	tests/cli/test_csv_stdout.py \
	tests/cli/test_display.py \
	tests/cli/test_encodings.py \
	tests/cli/test_faults.py \
	tests/cli/test_killed_runs.py \
	tests/cli/test_graphs.py \
	tests/cli/test_limits.py \
	tests/cli/test_large_configs.py \
	tests/cli/test_leftovers.py \
	tests/cli/test_listening_worker.py \
	tests/cli/test_odd_drivers.py \
	tests/cli/test_hanging_drivers.py \
	tests/cli/test_heartbeats.py \
	tests/cli/test_home_files.py \
	tests/cli/test_places.py \
	tests/cli/test_relayed_places.py \
	tests/cli/test_relays.py \
	tests/cli/test_resumption.py \
	tests/cli/test_plugins.py \
	tests/cli/test_retries.py \
	tests/cli/test_rude_adapters.py \
	tests/cli/test_slow_adapters.py \
	tests/cli/test_supervision.py \
	tests/cli/test_run_directory.py \
	tests/cli/test_run_index.py \
	tests/cli/test_secrets.py \
	tests/cli/test_terminal.py \
	tests/cli/test_trace.py \
	tests/cli/test_verbs.py \
	tests/cli/test_wrong_nodes.py \
	$(NULL)
exec_tests = tests/cli/test_exec.py tests/cli/test_exec_links.py tests/cli/test_exec_places.py
EXTRA_DIST += tests/cli/tap.py tests/cli/relays.py tests/cli/worker_session.py tests/cli/test_orders.py tests/cli/test_mysql_types.py \
	tests/cli/bundles.py tests/cli/test_bundle.py tests/cli/test_bundle_contents.py tests/cli/test_bundled_relays.py \
	tests/cli/test_place_bundles.py tests/cli/places.py tests/cli/remote.py $(exec_tests) $(cli_tests)
if HAVE_PYTHON3
TESTS += $(cli_tests)
if HAVE_MYSQL
TESTS += tests/cli/test_orders.py tests/cli/test_mysql_types.py
endif
if HAVE_BUNDLE
TESTS += tests/cli/test_bundle.py tests/cli/test_bundle_contents.py tests/cli/test_bundled_relays.py tests/cli/test_place_bundles.py \
	$(exec_tests)
endif
endif
