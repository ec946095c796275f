# Reading pipelines: YAML, diagnostics, OML.
if HAVE_CHECK
front_tests = \
	tests/unit/test-diagnostic \
	tests/unit/test-terminal \
	tests/unit/test-pipeline \
	tests/unit/test-pipeline-edges \
	tests/unit/test-yaml
check_PROGRAMS += $(front_tests)
TESTS += $(front_tests)
tests_unit_test_terminal_SOURCES = tests/unit/test-terminal.c
tests_unit_test_terminal_CPPFLAGS = $(unit_cppflags)
tests_unit_test_terminal_LDADD = $(unit_ldadd)
tests_unit_test_diagnostic_SOURCES = tests/unit/test-diagnostic.c
tests_unit_test_diagnostic_CPPFLAGS = $(unit_cppflags)
tests_unit_test_diagnostic_LDADD = $(unit_ldadd)
tests_unit_test_pipeline_SOURCES = tests/unit/test-pipeline.c
tests_unit_test_pipeline_CPPFLAGS = $(unit_cppflags)
tests_unit_test_pipeline_LDADD = $(unit_ldadd)
tests_unit_test_pipeline_edges_SOURCES = tests/unit/test-pipeline-edges.c
tests_unit_test_pipeline_edges_CPPFLAGS = $(unit_cppflags)
tests_unit_test_pipeline_edges_LDADD = $(unit_ldadd)
tests_unit_test_yaml_SOURCES = tests/unit/test-yaml.c
tests_unit_test_yaml_CPPFLAGS = $(unit_cppflags)
tests_unit_test_yaml_LDADD = $(unit_ldadd)
endif
