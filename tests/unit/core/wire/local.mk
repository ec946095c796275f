# Tests of core/wire/.
if HAVE_CHECK
tests_of_core_wire = \
	tests/unit/core/wire/test-message \
	tests/unit/core/wire/test-channel \
	tests/unit/core/wire/test-channel-bodies \
	tests/unit/core/wire/test-channel-links \
	tests/unit/core/wire/test-batch \
	tests/unit/core/wire/test-random-batches \
	tests/unit/core/wire/test-window \
	$(NULL)
check_PROGRAMS += $(tests_of_core_wire)
TESTS += $(tests_of_core_wire)
channel_ends = tests/unit/core/wire/channel-ends.c tests/unit/core/wire/channel-ends.h
tests_unit_core_wire_test_window_SOURCES = tests/unit/core/wire/test-window.c
tests_unit_core_wire_test_window_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_window_LDADD = $(unit_ldadd)
tests_unit_core_wire_test_message_SOURCES = tests/unit/core/wire/test-message.c
tests_unit_core_wire_test_message_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_message_LDADD = $(unit_ldadd)
tests_unit_core_wire_test_channel_SOURCES = tests/unit/core/wire/test-channel.c $(channel_ends)
tests_unit_core_wire_test_channel_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_channel_LDADD = $(unit_ldadd)
tests_unit_core_wire_test_channel_bodies_SOURCES = tests/unit/core/wire/test-channel-bodies.c $(channel_ends)
tests_unit_core_wire_test_channel_bodies_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_channel_bodies_LDADD = $(unit_ldadd)
tests_unit_core_wire_test_channel_links_SOURCES = tests/unit/core/wire/test-channel-links.c $(channel_ends)
tests_unit_core_wire_test_channel_links_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_channel_links_LDADD = $(unit_ldadd)
tests_unit_core_wire_test_batch_SOURCES = tests/unit/core/wire/test-batch.c
tests_unit_core_wire_test_batch_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_batch_LDADD = $(unit_ldadd)
tests_unit_core_wire_test_random_batches_SOURCES = tests/unit/core/wire/test-random-batches.c tests/arrow-digest.c tests/arrow-digest.h
tests_unit_core_wire_test_random_batches_CPPFLAGS = $(unit_cppflags)
tests_unit_core_wire_test_random_batches_LDADD = $(unit_ldadd)
endif
