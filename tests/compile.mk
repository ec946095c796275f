EXTRA_DIST += tests/headers
TESTS += tests/headers
if HAVE_CHECK
check_PROGRAMS += tests/unit/test-schema tests/unit/test-abi tests/unit/test-connections tests/unit/test-compile
TESTS += tests/unit/test-schema tests/unit/test-abi tests/unit/test-connections tests/unit/test-compile
tests_unit_test_schema_SOURCES = tests/unit/test-schema.c
tests_unit_test_schema_CPPFLAGS = $(unit_cppflags)
tests_unit_test_schema_LDADD = $(unit_ldadd) libosiris-kit-pic.la
tests_unit_test_abi_SOURCES = tests/unit/test-abi.c
tests_unit_test_abi_CPPFLAGS = $(unit_cppflags)
tests_unit_test_abi_LDADD = $(unit_ldadd)
tests_unit_test_connections_SOURCES = tests/unit/test-connections.c
tests_unit_test_connections_CPPFLAGS = $(unit_cppflags)
tests_unit_test_connections_LDADD = $(unit_ldadd)
tests_unit_test_compile_SOURCES = tests/unit/test-compile.c
tests_unit_test_compile_CPPFLAGS = $(unit_cppflags)
tests_unit_test_compile_LDADD = $(unit_ldadd)
endif
