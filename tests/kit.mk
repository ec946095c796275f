if HAVE_CHECK
check_PROGRAMS += tests/unit/test-kit
TESTS += tests/unit/test-kit
tests_unit_test_kit_SOURCES = tests/unit/test-kit.c
tests_unit_test_kit_CPPFLAGS = $(unit_cppflags)
tests_unit_test_kit_LDADD = $(unit_ldadd) libosiris-kit-pic.la

check_PROGRAMS += tests/unit/test-kit-edges
TESTS += tests/unit/test-kit-edges
tests_unit_test_kit_edges_SOURCES = tests/unit/test-kit-edges.c
tests_unit_test_kit_edges_CPPFLAGS = $(unit_cppflags)
tests_unit_test_kit_edges_LDADD = $(unit_ldadd) libosiris-kit-pic.la

check_PROGRAMS += tests/unit/test-kit-faults
TESTS += tests/unit/test-kit-faults
tests_unit_test_kit_faults_SOURCES = tests/unit/test-kit-faults.c
tests_unit_test_kit_faults_CPPFLAGS = $(unit_cppflags)
tests_unit_test_kit_faults_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=aligned_alloc
tests_unit_test_kit_faults_LDADD = $(unit_ldadd) libosiris-kit-pic.la
endif
