# Tests of orchestrator/session/.
if HAVE_CHECK
tests_of_orchestrator_session = \
	tests/unit/orchestrator/session/test-schedule \
	$(NULL)
check_PROGRAMS += $(tests_of_orchestrator_session)
TESTS += $(tests_of_orchestrator_session)
tests_unit_orchestrator_session_test_schedule_SOURCES = tests/unit/orchestrator/session/test-schedule.c
tests_unit_orchestrator_session_test_schedule_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_session_test_schedule_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
