# Tests of plugins/exec/.
if HAVE_CHECK
tests_of_plugins_exec = tests/unit/plugins/exec/test-words
check_PROGRAMS += $(tests_of_plugins_exec)
TESTS += $(tests_of_plugins_exec)
tests_unit_plugins_exec_test_words_SOURCES = tests/unit/plugins/exec/test-words.c \
	plugins/exec/command.c plugins/exec/log.c plugins/exec/words.c
tests_unit_plugins_exec_test_words_CPPFLAGS = $(unit_cppflags)
tests_unit_plugins_exec_test_words_LDADD = libosiris-kit-pic.la $(CHECK_LIBS) -lpthread
endif
