if HAVE_CHECK
check_PROGRAMS += tests/unit/test-queue
TESTS += tests/unit/test-queue
tests_unit_test_queue_SOURCES = tests/unit/test-queue.c
tests_unit_test_queue_CPPFLAGS = $(unit_cppflags)
tests_unit_test_queue_LDADD = $(unit_ldadd) libosiris-kit-pic.la
endif
if HAVE_CHECK
check_PROGRAMS += tests/unit/test-wire-batch
TESTS += tests/unit/test-wire-batch
tests_unit_test_wire_batch_SOURCES = tests/unit/test-wire-batch.c
tests_unit_test_wire_batch_CPPFLAGS = $(unit_cppflags)
tests_unit_test_wire_batch_LDADD = $(unit_ldadd)
check_PROGRAMS += tests/unit/test-wire-random
TESTS += tests/unit/test-wire-random
tests_unit_test_wire_random_SOURCES = tests/unit/test-wire-random.c tests/arrow-digest.c tests/arrow-digest.h
tests_unit_test_wire_random_CPPFLAGS = $(unit_cppflags)
tests_unit_test_wire_random_LDADD = $(unit_ldadd)
endif
if HAVE_CHECK
check_PROGRAMS += tests/unit/test-link
TESTS += tests/unit/test-link
tests_unit_test_link_SOURCES = tests/unit/test-link.c worker/link-input.c worker/link-output.c
tests_unit_test_link_CPPFLAGS = $(unit_cppflags)
tests_unit_test_link_LDADD = $(unit_ldadd) libosiris-kit-pic.la
endif
# It stands before malloc, as a sanitizer does.
if HAVE_CHECK
if !SANITIZED
check_PROGRAMS += tests/unit/test-stream-cost
TESTS += tests/unit/test-stream-cost
endif
endif
EXTRA_DIST += tests/unit/test-stream-cost.c
tests_unit_test_stream_cost_SOURCES = tests/unit/test-stream-cost.c bench/rpc-count.c bench/rpc-shapes.c bench/rpc.h \
	worker/link-input.c worker/link-output.c
tests_unit_test_stream_cost_CPPFLAGS = $(unit_cppflags)
tests_unit_test_stream_cost_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_unit_test_stream_cost_LDADD = $(unit_ldadd)
