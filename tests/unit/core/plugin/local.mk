# Tests of core/plugin/.
if HAVE_CHECK
tests_of_core_plugin = \
	tests/unit/core/plugin/test-schema \
	tests/unit/core/plugin/test-abi \
	$(NULL)
check_PROGRAMS += $(tests_of_core_plugin)
TESTS += $(tests_of_core_plugin)
tests_unit_core_plugin_test_schema_SOURCES = tests/unit/core/plugin/test-schema.c
tests_unit_core_plugin_test_schema_CPPFLAGS = $(unit_cppflags)
tests_unit_core_plugin_test_schema_LDADD = $(unit_ldadd) libosiris-kit-pic.la
tests_unit_core_plugin_test_abi_SOURCES = tests/unit/core/plugin/test-abi.c
tests_unit_core_plugin_test_abi_CPPFLAGS = $(unit_cppflags)
tests_unit_core_plugin_test_abi_LDADD = $(unit_ldadd)
endif
