# Tests of worker/output/.
if HAVE_CHECK
tests_of_worker_output = \
	tests/unit/worker/output/test-output \
	tests/unit/worker/output/test-output-origin \
	$(NULL)
check_PROGRAMS += $(tests_of_worker_output)
TESTS += $(tests_of_worker_output)
tests_unit_worker_output_test_output_SOURCES = tests/unit/worker/output/test-output.c $(worker_output_sources)
tests_unit_worker_output_test_output_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_output_test_output_LDADD = $(unit_ldadd)
tests_unit_worker_output_test_output_origin_SOURCES = tests/unit/worker/output/test-output-origin.c $(worker_output_sources)
tests_unit_worker_output_test_output_origin_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_output_test_output_origin_LDADD = $(unit_ldadd)
endif
