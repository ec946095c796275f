# Time, redaction, the run's directory, the command line's arguments.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test-clock tests/unit/test-redact
TESTS += tests/unit/test-clock tests/unit/test-redact
tests_unit_test_clock_SOURCES = tests/unit/test-clock.c
tests_unit_test_clock_CPPFLAGS = $(unit_cppflags)
tests_unit_test_clock_LDADD = $(unit_ldadd)
tests_unit_test_redact_SOURCES = tests/unit/test-redact.c
tests_unit_test_redact_CPPFLAGS = $(unit_cppflags)
tests_unit_test_redact_LDADD = $(unit_ldadd)
endif
