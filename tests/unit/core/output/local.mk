# Tests of core/output/.
if HAVE_CHECK
tests_of_core_output = \
	tests/unit/core/output/test-litter \
	tests/unit/core/output/test-output \
	tests/unit/core/output/test-output-append \
	tests/unit/core/output/test-output-aside \
	tests/unit/core/output/test-output-hidden \
	tests/unit/core/output/test-output-origin \
	tests/unit/core/output/test-output-ready \
	tests/unit/core/output/test-artifacts-stream \
	$(NULL)
check_PROGRAMS += $(tests_of_core_output)
TESTS += $(tests_of_core_output)
tests_unit_core_output_test_artifacts_stream_SOURCES = tests/unit/core/output/test-artifacts-stream.c
tests_unit_core_output_test_artifacts_stream_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_artifacts_stream_LDADD = $(unit_ldadd)
tests_unit_core_output_test_litter_SOURCES = tests/unit/core/output/test-litter.c
tests_unit_core_output_test_litter_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_litter_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_ready_SOURCES = tests/unit/core/output/test-output-ready.c
tests_unit_core_output_test_output_ready_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_ready_LDADD = $(unit_ldadd)
output_fixture = tests/unit/core/output/fixture.c tests/unit/core/output/fixture.h $(unit_folder)
tests_unit_core_output_test_output_SOURCES = tests/unit/core/output/test-output.c $(output_fixture)
tests_unit_core_output_test_output_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_append_SOURCES = tests/unit/core/output/test-output-append.c $(output_fixture)
tests_unit_core_output_test_output_append_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_append_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_aside_SOURCES = tests/unit/core/output/test-output-aside.c $(output_fixture)
tests_unit_core_output_test_output_aside_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_aside_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_hidden_SOURCES = tests/unit/core/output/test-output-hidden.c $(output_fixture)
tests_unit_core_output_test_output_hidden_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_hidden_LDADD = $(unit_ldadd)
tests_unit_core_output_test_output_origin_SOURCES = tests/unit/core/output/test-output-origin.c
tests_unit_core_output_test_output_origin_CPPFLAGS = $(unit_cppflags)
tests_unit_core_output_test_output_origin_LDADD = $(unit_ldadd)
endif
