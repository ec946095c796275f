if HAVE_CHECK
check_PROGRAMS += tests/unit/test-message tests/unit/test-channel
TESTS += tests/unit/test-message tests/unit/test-channel
tests_unit_test_message_SOURCES = tests/unit/test-message.c
tests_unit_test_message_CPPFLAGS = $(unit_cppflags)
tests_unit_test_message_LDADD = $(unit_ldadd)
tests_unit_test_channel_SOURCES = tests/unit/test-channel.c
tests_unit_test_channel_CPPFLAGS = $(unit_cppflags)
tests_unit_test_channel_LDADD = $(unit_ldadd)
endif
