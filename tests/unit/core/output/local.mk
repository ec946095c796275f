# Tests of core/output/.
if HAVE_CHECK
tests_of_core_output = \
	tests/unit/core/output/test-output \
	tests/unit/core/output/test-output-origin \
	tests/unit/core/output/test-artifacts-stream \
	$(NULL)
check_PROGRAMS += $(tests_of_core_output)
TESTS += $(tests_of_core_output)
tests_unit_core_output_test_artifacts_stream_SOURCES = tests/unit/core/output/test-artifacts-stream.c
tests_unit_core_output_test_artifacts_stream_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_artifacts_stream_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_SOURCES = tests/unit/core/output/test-output.c
tests_unit_core_output_test_output_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_origin_SOURCES = tests/unit/core/output/test-output-origin.c
tests_unit_core_output_test_output_origin_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_origin_LDADD = $(unit_ldadd)
endif
