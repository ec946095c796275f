if HAVE_CHECK
check_PROGRAMS += tests/unit/test-kit
TESTS += tests/unit/test-kit
tests_unit_test_kit_SOURCES = tests/unit/test-kit.c
tests_unit_test_kit_CPPFLAGS = $(unit_cppflags)
tests_unit_test_kit_LDADD = $(unit_ldadd) libosiris-kit-pic.la
endif
