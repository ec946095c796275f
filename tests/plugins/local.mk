# Test plug-ins: good ones for the tests of the real binary, and broken ones that must be refused. -rpath makes libtool
# build a shared object although it is not installed. They land in tests/plugins/.libs.
test_plugin_ldflags = -module -avoid-version -shared -rpath /nowhere $(SANITIZER_CFLAGS)
EXTRA_DIST += tests/plugins/test-plugin.h

check_LTLIBRARIES += tests/plugins/generate.la tests/plugins/processors.la \
	tests/plugins/collect.la tests/plugins/raw.la tests/plugins/other/pass.la \
	tests/plugins/asked.la tests/plugins/faulty.la tests/plugins/leaky.la \
	tests/plugins/odd.la tests/plugins/files.la
tests_plugins_files_la_SOURCES = tests/plugins/files.c
tests_plugins_files_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_leaky_la_SOURCES = tests/plugins/leaky.c
tests_plugins_leaky_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_asked_la_SOURCES = tests/plugins/asked.c
tests_plugins_asked_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_faulty_la_SOURCES = tests/plugins/faulty.c
tests_plugins_faulty_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_odd_la_SOURCES = tests/plugins/odd.c
tests_plugins_odd_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_generate_la_SOURCES = tests/plugins/generate.c
tests_plugins_generate_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_processors_la_SOURCES = tests/plugins/pass.c
tests_plugins_processors_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_collect_la_SOURCES = tests/plugins/collect.c
tests_plugins_collect_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_raw_la_SOURCES = tests/plugins/raw.c
tests_plugins_raw_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_other_pass_la_SOURCES = tests/plugins/pass.c
tests_plugins_other_pass_la_CPPFLAGS = $(AM_CPPFLAGS) -DONLY_PASS
tests_plugins_other_pass_la_LDFLAGS = $(test_plugin_ldflags)

# Adapters, in a folder of their own: only the tests that name the folder find them.
check_LTLIBRARIES += tests/plugins/adapters/flaky.la tests/plugins/adapters/keyed.la \
	tests/plugins/adapters/older.la tests/plugins/adapters/relayed.la
tests_plugins_adapters_older_la_SOURCES = tests/plugins/older.c
tests_plugins_adapters_older_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_adapters_relayed_la_SOURCES = tests/plugins/relayed.c
tests_plugins_adapters_relayed_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_adapters_keyed_la_SOURCES = tests/plugins/keyed.c
tests_plugins_adapters_keyed_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_adapters_flaky_la_SOURCES = tests/plugins/flaky.c
tests_plugins_adapters_flaky_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/adapters/odd.la
tests_plugins_adapters_odd_la_SOURCES = tests/plugins/odd-adapter.c
tests_plugins_adapters_odd_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/adapters/rude.la
tests_plugins_adapters_rude_la_SOURCES = tests/plugins/rude.c
tests_plugins_adapters_rude_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_plugins_adapters_rude_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/lame1/lame.la
tests_plugins_lame1_lame_la_SOURCES = tests/plugins/rude.c
tests_plugins_lame1_lame_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -DLACKS=1
tests_plugins_lame1_lame_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/lame2/lame.la
tests_plugins_lame2_lame_la_SOURCES = tests/plugins/rude.c
tests_plugins_lame2_lame_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -DLACKS=2
tests_plugins_lame2_lame_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/lame3/lame.la
tests_plugins_lame3_lame_la_SOURCES = tests/plugins/rude.c
tests_plugins_lame3_lame_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -DLACKS=3
tests_plugins_lame3_lame_la_LDFLAGS = $(test_plugin_ldflags)

# No plug-ins: they are preloaded.
check_LTLIBRARIES += tests/plugins/preload/hurry.la tests/plugins/preload/starve.la
tests_plugins_preload_starve_la_SOURCES = tests/plugins/starve.c
tests_plugins_preload_starve_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_preload_hurry_la_SOURCES = tests/plugins/hurry.c
tests_plugins_preload_hurry_la_LDFLAGS = $(test_plugin_ldflags)

# Nor this one: the campaign's failing calls (tests/campaign/).
check_LTLIBRARIES += tests/plugins/preload/fail-call.la
tests_plugins_preload_fail_call_la_SOURCES = tests/plugins/fail-call.c
tests_plugins_preload_fail_call_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-no-symbol.la
tests_plugins_broken_broken_no_symbol_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_no_symbol_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NO_SYMBOL
tests_plugins_broken_broken_no_symbol_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-version.la
tests_plugins_broken_broken_version_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_version_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=VERSION
tests_plugins_broken_broken_version_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-truncated.la
tests_plugins_broken_broken_truncated_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_truncated_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=TRUNCATED
tests_plugins_broken_broken_truncated_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-null-tables.la
tests_plugins_broken_broken_null_tables_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_null_tables_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NULL_TABLES
tests_plugins_broken_broken_null_tables_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-unresolved.la
tests_plugins_broken_broken_unresolved_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_unresolved_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=UNRESOLVED
tests_plugins_broken_broken_unresolved_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-crash.la
tests_plugins_broken_broken_crash_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_crash_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=CRASH
tests_plugins_broken_broken_crash_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-hang.la
tests_plugins_broken_broken_hang_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_hang_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=HANG
tests_plugins_broken_broken_hang_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-exit.la
tests_plugins_broken_broken_exit_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_exit_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=EXIT
tests_plugins_broken_broken_exit_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-short-driver.la
tests_plugins_broken_broken_short_driver_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_short_driver_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=SHORT_DRIVER
tests_plugins_broken_broken_short_driver_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-no-verb.la
tests_plugins_broken_broken_no_verb_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_no_verb_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NO_VERB
tests_plugins_broken_broken_no_verb_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-spec.la
tests_plugins_broken_broken_bad_spec_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_spec_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_SPEC
tests_plugins_broken_broken_bad_spec_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-twice.la
tests_plugins_broken_broken_twice_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_twice_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=TWICE
tests_plugins_broken_broken_twice_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-prints.la
tests_plugins_broken_broken_prints_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_prints_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=PRINTS
tests_plugins_broken_broken_prints_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-mode.la
tests_plugins_broken_broken_bad_mode_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_mode_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_MODE
tests_plugins_broken_broken_bad_mode_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-type.la
tests_plugins_broken_broken_bad_type_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_type_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_TYPE
tests_plugins_broken_broken_bad_type_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-pattern.la
tests_plugins_broken_broken_bad_pattern_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_pattern_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_PATTERN
tests_plugins_broken_broken_bad_pattern_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-default.la
tests_plugins_broken_broken_bad_default_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_default_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_DEFAULT
tests_plugins_broken_broken_bad_default_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-outputs.la
tests_plugins_broken_broken_bad_outputs_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_outputs_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_OUTPUTS
tests_plugins_broken_broken_bad_outputs_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-bad-name.la
tests_plugins_broken_broken_bad_name_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_bad_name_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=BAD_NAME
tests_plugins_broken_broken_bad_name_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-no-name.la
tests_plugins_broken_broken_no_name_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_no_name_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NO_NAME
tests_plugins_broken_broken_no_name_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-detaches.la
tests_plugins_broken_broken_detaches_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_detaches_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=DETACHES
tests_plugins_broken_broken_detaches_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-detaches-and-crashes.la
tests_plugins_broken_broken_detaches_and_crashes_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_detaches_and_crashes_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=DETACHES_AND_CRASHES
tests_plugins_broken_broken_detaches_and_crashes_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-null-name.la
tests_plugins_broken_broken_null_name_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_null_name_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NULL_NAME
tests_plugins_broken_broken_null_name_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-null-version.la
tests_plugins_broken_broken_null_version_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_null_version_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NULL_VERSION
tests_plugins_broken_broken_null_version_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-null-spec.la
tests_plugins_broken_broken_null_spec_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_null_spec_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NULL_SPEC
tests_plugins_broken_broken_null_spec_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-null-open.la
tests_plugins_broken_broken_null_open_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_null_open_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NULL_OPEN
tests_plugins_broken_broken_null_open_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-null-close.la
tests_plugins_broken_broken_null_close_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_null_close_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NULL_CLOSE
tests_plugins_broken_broken_null_close_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-no-kind.la
tests_plugins_broken_broken_no_kind_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_no_kind_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=NO_KIND
tests_plugins_broken_broken_no_kind_la_LDFLAGS = $(test_plugin_ldflags)

check_LTLIBRARIES += tests/plugins/broken/broken-other-kind.la
tests_plugins_broken_broken_other_kind_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_other_kind_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=OTHER_KIND
tests_plugins_broken_broken_other_kind_la_LDFLAGS = $(test_plugin_ldflags)
check_LTLIBRARIES += tests/plugins/broken/broken-moody.la
tests_plugins_broken_broken_moody_la_SOURCES = tests/plugins/broken.c
tests_plugins_broken_broken_moody_la_CPPFLAGS = $(AM_CPPFLAGS) -DBROKEN=MOODY
tests_plugins_broken_broken_moody_la_LDFLAGS = $(test_plugin_ldflags)

# The driver template, against the public headers and the kit as everybody has them.
check_LTLIBRARIES += tests/plugins/template/acme.la
tests_plugins_template_acme_la_SOURCES = examples/driver-template/acme.c
tests_plugins_template_acme_la_LDFLAGS = $(test_plugin_ldflags)
tests_plugins_template_acme_la_LIBADD = libosiris-kit-pic.la
