# Tests of worker/.
if HAVE_CHECK
tests_of_worker = \
	tests/unit/worker/test-decide \
	tests/unit/worker/test-queue \
	tests/unit/worker/test-relay \
	tests/unit/worker/test-link \
	tests/unit/worker/test-vectors \
	tests/unit/worker/test-stream-hostile \
	$(NULL)
check_PROGRAMS += $(tests_of_worker)
TESTS += $(tests_of_worker)
tests_unit_worker_test_decide_SOURCES = tests/unit/worker/test-decide.c worker/decide.c worker/cancel.c worker/answer.c worker/run.c
tests_unit_worker_test_decide_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_decide_LDADD = $(unit_ldadd)
tests_unit_worker_test_queue_SOURCES = tests/unit/worker/test-queue.c worker/queue.c worker/batch.c
tests_unit_worker_test_queue_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_queue_LDADD = $(unit_ldadd) libosiris-kit-pic.la
tests_unit_worker_test_relay_SOURCES = tests/unit/worker/test-relay.c worker/relay/log-store.c worker/relay/pump.c
tests_unit_worker_test_relay_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_relay_LDADD = $(unit_ldadd)
tests_unit_worker_test_link_SOURCES = tests/unit/worker/test-link.c worker/link-input.c worker/link-output.c worker/calls.c worker/signs.c worker/queue.c worker/batch.c
tests_unit_worker_test_link_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_link_LDADD = $(unit_ldadd) libosiris-kit-pic.la
tests_unit_worker_test_vectors_SOURCES = tests/unit/worker/test-vectors.c worker/link-input.c worker/queue.c worker/batch.c
tests_unit_worker_test_vectors_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_vectors_LDADD = $(unit_ldadd)
tests_unit_worker_test_stream_hostile_SOURCES = tests/unit/worker/test-stream-hostile.c worker/link-input.c worker/queue.c worker/batch.c
tests_unit_worker_test_stream_hostile_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_stream_hostile_LDADD = $(unit_ldadd)
endif
# It stands before malloc, as a sanitizer does.
if HAVE_CHECK
if !SANITIZED
check_PROGRAMS += tests/unit/worker/test-stream-cost
TESTS += tests/unit/worker/test-stream-cost
endif
endif
EXTRA_DIST += tests/unit/worker/test-stream-cost.c
tests_unit_worker_test_stream_cost_SOURCES = tests/unit/worker/test-stream-cost.c bench/rpc-count.c bench/rpc-shapes.c bench/rpc.h worker/link-input.c worker/link-output.c worker/calls.c worker/signs.c worker/queue.c worker/batch.c
tests_unit_worker_test_stream_cost_CPPFLAGS = $(unit_cppflags)
tests_unit_worker_test_stream_cost_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_unit_worker_test_stream_cost_LDADD = $(unit_ldadd)
