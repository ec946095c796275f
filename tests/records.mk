# Time, redaction, the run's directory, the command line's arguments.
if HAVE_CHECK
records_tests = \
	tests/unit/test-arguments \
	tests/unit/test-atomic-file \
	tests/unit/test-clock \
	tests/unit/test-pause \
	tests/unit/test-redact \
	tests/unit/test-rundir
check_PROGRAMS += $(records_tests)
TESTS += $(records_tests)
tests_unit_test_arguments_SOURCES = tests/unit/test-arguments.c cli/arguments.c cli/arguments.h
tests_unit_test_arguments_CPPFLAGS = $(unit_cppflags)
tests_unit_test_arguments_LDADD = $(unit_ldadd)
tests_unit_test_clock_SOURCES = tests/unit/test-clock.c
tests_unit_test_clock_CPPFLAGS = $(unit_cppflags)
tests_unit_test_clock_LDADD = $(unit_ldadd)
tests_unit_test_atomic_file_SOURCES = tests/unit/test-atomic-file.c
tests_unit_test_atomic_file_CPPFLAGS = $(unit_cppflags)
tests_unit_test_atomic_file_LDADD = $(unit_ldadd)
tests_unit_test_pause_SOURCES = tests/unit/test-pause.c
tests_unit_test_pause_CPPFLAGS = $(unit_cppflags)
tests_unit_test_pause_LDADD = $(unit_ldadd)
tests_unit_test_redact_SOURCES = tests/unit/test-redact.c
tests_unit_test_redact_CPPFLAGS = $(unit_cppflags)
tests_unit_test_redact_LDADD = $(unit_ldadd)
tests_unit_test_rundir_SOURCES = tests/unit/test-rundir.c
tests_unit_test_rundir_CPPFLAGS = $(unit_cppflags)
tests_unit_test_rundir_LDADD = $(unit_ldadd)
endif
