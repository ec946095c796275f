# Tests of orchestrator/base/.
if HAVE_CHECK
tests_of_orchestrator_base = \
	tests/unit/orchestrator/base/test-ending-signals \
	tests/unit/orchestrator/base/test-redact-message \
	tests/unit/orchestrator/base/test-terminal \
	$(NULL)
check_PROGRAMS += $(tests_of_orchestrator_base)
TESTS += $(tests_of_orchestrator_base)
tests_unit_orchestrator_base_test_ending_signals_SOURCES = tests/unit/orchestrator/base/test-ending-signals.c
tests_unit_orchestrator_base_test_ending_signals_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_base_test_ending_signals_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_base_test_redact_message_SOURCES = tests/unit/orchestrator/base/test-redact-message.c
tests_unit_orchestrator_base_test_redact_message_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_base_test_redact_message_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_base_test_terminal_SOURCES = tests/unit/orchestrator/base/test-terminal.c
tests_unit_orchestrator_base_test_terminal_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_base_test_terminal_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
