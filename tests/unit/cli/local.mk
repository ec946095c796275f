# Tests of cli/.
if HAVE_CHECK
tests_of_cli = \
	tests/unit/cli/test-arguments \
	$(NULL)
check_PROGRAMS += $(tests_of_cli)
TESTS += $(tests_of_cli)
tests_unit_cli_test_arguments_SOURCES = tests/unit/cli/test-arguments.c cli/arguments.c cli/arguments.h
tests_unit_cli_test_arguments_CPPFLAGS = $(unit_cppflags)
tests_unit_cli_test_arguments_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
