if HAVE_CHECK
check_PROGRAMS += tests/unit/test-schedule
TESTS += tests/unit/test-schedule
tests_unit_test_schedule_SOURCES = tests/unit/test-schedule.c
tests_unit_test_schedule_CPPFLAGS = $(unit_cppflags)
tests_unit_test_schedule_LDADD = $(unit_ldadd)
endif
