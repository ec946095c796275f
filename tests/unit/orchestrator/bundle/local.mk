# Tests of orchestrator/bundle/.
if HAVE_CHECK
if HAVE_BUNDLE
tests_of_orchestrator_bundle = \
	tests/unit/orchestrator/bundle/test-elf-file \
	tests/unit/orchestrator/bundle/test-pack \
	$(NULL)
check_PROGRAMS += $(tests_of_orchestrator_bundle)
TESTS += $(tests_of_orchestrator_bundle)
tests_unit_orchestrator_bundle_test_elf_file_SOURCES = tests/unit/orchestrator/bundle/test-elf-file.c
tests_unit_orchestrator_bundle_test_elf_file_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_bundle_test_elf_file_LDADD = libosiris-orchestrator.la $(unit_ldadd)
tests_unit_orchestrator_bundle_test_pack_SOURCES = tests/unit/orchestrator/bundle/test-pack.c
tests_unit_orchestrator_bundle_test_pack_CPPFLAGS = $(unit_cppflags)
tests_unit_orchestrator_bundle_test_pack_LDADD = libosiris-orchestrator.la $(unit_ldadd)
endif
endif
