if HAVE_CHECK
check_PROGRAMS += tests/unit/test-output
TESTS += tests/unit/test-output
tests_unit_test_output_SOURCES = tests/unit/test-output.c
tests_unit_test_output_CPPFLAGS = $(unit_cppflags)
tests_unit_test_output_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/test-output-origin
TESTS += tests/unit/test-output-origin
tests_unit_test_output_origin_SOURCES = tests/unit/test-output-origin.c
tests_unit_test_output_origin_CPPFLAGS = $(unit_cppflags)
tests_unit_test_output_origin_LDADD = $(unit_ldadd)
endif
