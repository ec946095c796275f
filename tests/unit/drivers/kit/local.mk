# Tests of drivers/kit/.
if HAVE_CHECK
tests_of_drivers_kit = \
	tests/unit/drivers/kit/test-kit \
	tests/unit/drivers/kit/test-edges \
	tests/unit/drivers/kit/test-faults \
	$(NULL)
check_PROGRAMS += $(tests_of_drivers_kit)
TESTS += $(tests_of_drivers_kit)
tests_unit_drivers_kit_test_kit_SOURCES = tests/unit/drivers/kit/test-kit.c
tests_unit_drivers_kit_test_kit_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_kit_test_kit_LDADD = $(unit_ldadd) libosiris-kit-pic.la
tests_unit_drivers_kit_test_edges_SOURCES = tests/unit/drivers/kit/test-edges.c
tests_unit_drivers_kit_test_edges_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_kit_test_edges_LDADD = $(unit_ldadd) libosiris-kit-pic.la
tests_unit_drivers_kit_test_faults_SOURCES = tests/unit/drivers/kit/test-faults.c
tests_unit_drivers_kit_test_faults_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_kit_test_faults_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=aligned_alloc
tests_unit_drivers_kit_test_faults_LDADD = $(unit_ldadd) libosiris-kit-pic.la
endif
