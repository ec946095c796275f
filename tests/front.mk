if HAVE_CHECK
check_PROGRAMS += tests/unit/test-pipeline
TESTS += tests/unit/test-pipeline
tests_unit_test_pipeline_SOURCES = tests/unit/test-pipeline.c
tests_unit_test_pipeline_CPPFLAGS = $(unit_cppflags)
tests_unit_test_pipeline_LDADD = $(unit_ldadd)
endif
