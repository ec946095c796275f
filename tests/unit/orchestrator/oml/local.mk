# Tests of orchestrator/oml/.
if HAVE_CHECK
tests_of_orchestrator_oml = \
	tests/unit/orchestrator/oml/test-yaml \
	tests/unit/orchestrator/oml/test-pipeline \
	tests/unit/orchestrator/oml/test-pipeline-edges \
	tests/unit/orchestrator/oml/test-pipeline-params \
	tests/unit/orchestrator/oml/test-diagnostic \
	tests/unit/orchestrator/oml/test-connections \
	tests/unit/orchestrator/oml/test-places \
	tests/unit/orchestrator/oml/test-retry \
	$(NULL)
check_PROGRAMS += $(tests_of_orchestrator_oml)
TESTS += $(tests_of_orchestrator_oml)
tests_unit_orchestrator_oml_test_yaml_SOURCES = tests/unit/orchestrator/oml/test-yaml.c $(unit_folder)
tests_unit_orchestrator_oml_test_yaml_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_yaml_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_oml_test_pipeline_SOURCES = tests/unit/orchestrator/oml/test-pipeline.c $(unit_folder)
tests_unit_orchestrator_oml_test_pipeline_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_pipeline_LDADD = libosiris-orchestrator.la $(unit_ldadd)
pipeline_fixture = tests/unit/orchestrator/oml/pipeline-fixture.c tests/unit/orchestrator/oml/pipeline-fixture.h
tests_unit_orchestrator_oml_test_pipeline_edges_SOURCES = tests/unit/orchestrator/oml/test-pipeline-edges.c $(pipeline_fixture)
tests_unit_orchestrator_oml_test_pipeline_edges_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_pipeline_edges_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_oml_test_pipeline_params_SOURCES = tests/unit/orchestrator/oml/test-pipeline-params.c $(pipeline_fixture)
tests_unit_orchestrator_oml_test_pipeline_params_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_pipeline_params_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_oml_test_diagnostic_SOURCES = tests/unit/orchestrator/oml/test-diagnostic.c
tests_unit_orchestrator_oml_test_diagnostic_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_diagnostic_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_oml_test_connections_SOURCES = tests/unit/orchestrator/oml/test-connections.c $(unit_folder)
tests_unit_orchestrator_oml_test_connections_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_connections_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_oml_test_places_SOURCES = tests/unit/orchestrator/oml/test-places.c $(unit_folder)
tests_unit_orchestrator_oml_test_places_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_places_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_oml_test_retry_SOURCES = tests/unit/orchestrator/oml/test-retry.c
tests_unit_orchestrator_oml_test_retry_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_oml_test_retry_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
