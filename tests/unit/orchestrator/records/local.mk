# Tests of orchestrator/records/.
if HAVE_CHECK
tests_of_orchestrator_records = \
	tests/unit/orchestrator/records/test-rundir \
	$(NULL)
check_PROGRAMS += $(tests_of_orchestrator_records)
TESTS += $(tests_of_orchestrator_records)
tests_unit_orchestrator_records_test_rundir_SOURCES = tests/unit/orchestrator/records/test-rundir.c
tests_unit_orchestrator_records_test_rundir_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_records_test_rundir_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
