# Tests of orchestrator/compile/.
if HAVE_CHECK
tests_of_orchestrator_compile = \
	tests/unit/orchestrator/compile/test-compile \
	tests/unit/orchestrator/compile/test-plan \
	$(NULL)
check_PROGRAMS += $(tests_of_orchestrator_compile)
TESTS += $(tests_of_orchestrator_compile)
tests_unit_orchestrator_compile_test_compile_SOURCES = tests/unit/orchestrator/compile/test-compile.c $(unit_folder)
tests_unit_orchestrator_compile_test_compile_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_compile_test_compile_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_compile_test_plan_SOURCES = tests/unit/orchestrator/compile/test-plan.c
tests_unit_orchestrator_compile_test_plan_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_compile_test_plan_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
