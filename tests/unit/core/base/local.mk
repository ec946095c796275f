# Tests of core/base/.
if HAVE_CHECK
tests_of_core_base = \
	tests/unit/core/base/test-atomic-file \
	tests/unit/core/base/test-clock \
	tests/unit/core/base/test-ending-signals \
	tests/unit/core/base/test-pause \
	tests/unit/core/base/test-redact \
	tests/unit/core/base/test-remove-tree \
	tests/unit/core/base/test-terminal \
	$(NULL)
check_PROGRAMS += $(tests_of_core_base)
TESTS += $(tests_of_core_base)
tests_unit_core_base_test_atomic_file_SOURCES = tests/unit/core/base/test-atomic-file.c
tests_unit_core_base_test_atomic_file_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_atomic_file_LDADD = $(unit_ldadd)
tests_unit_core_base_test_clock_SOURCES = tests/unit/core/base/test-clock.c
tests_unit_core_base_test_clock_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_clock_LDADD = $(unit_ldadd)
tests_unit_core_base_test_ending_signals_SOURCES = tests/unit/core/base/test-ending-signals.c
tests_unit_core_base_test_ending_signals_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_ending_signals_LDADD = $(unit_ldadd)
tests_unit_core_base_test_pause_SOURCES = tests/unit/core/base/test-pause.c
tests_unit_core_base_test_pause_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_pause_LDADD = $(unit_ldadd)
tests_unit_core_base_test_redact_SOURCES = tests/unit/core/base/test-redact.c
tests_unit_core_base_test_redact_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_redact_LDADD = $(unit_ldadd)
tests_unit_core_base_test_remove_tree_SOURCES = tests/unit/core/base/test-remove-tree.c
tests_unit_core_base_test_remove_tree_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_remove_tree_LDADD = $(unit_ldadd)
tests_unit_core_base_test_terminal_SOURCES = tests/unit/core/base/test-terminal.c
tests_unit_core_base_test_terminal_CPPFLAGS = $(unit_cppflags)
tests_unit_core_base_test_terminal_LDADD = $(unit_ldadd)
endif
