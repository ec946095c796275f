if HAVE_CHECK
check_PROGRAMS += tests/unit/test-message tests/unit/test-channel tests/unit/test-channel-bodies tests/unit/test-channel-links
TESTS += tests/unit/test-message tests/unit/test-channel tests/unit/test-channel-bodies tests/unit/test-channel-links
tests_unit_test_message_SOURCES = tests/unit/test-message.c
tests_unit_test_message_CPPFLAGS = $(unit_cppflags)
tests_unit_test_message_LDADD = $(unit_ldadd)
channel_ends = tests/unit/channel-ends.c tests/unit/channel-ends.h
tests_unit_test_channel_SOURCES = tests/unit/test-channel.c $(channel_ends)
tests_unit_test_channel_CPPFLAGS = $(unit_cppflags)
tests_unit_test_channel_LDADD = $(unit_ldadd)
tests_unit_test_channel_bodies_SOURCES = tests/unit/test-channel-bodies.c $(channel_ends)
tests_unit_test_channel_bodies_CPPFLAGS = $(unit_cppflags)
tests_unit_test_channel_bodies_LDADD = $(unit_ldadd)
tests_unit_test_channel_links_SOURCES = tests/unit/test-channel-links.c $(channel_ends)
tests_unit_test_channel_links_CPPFLAGS = $(unit_cppflags)
tests_unit_test_channel_links_LDADD = $(unit_ldadd)
endif
