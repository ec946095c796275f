# The protocol as a stranger sees it: a worker in Python (tests/protocol), written from docs/protocol.md.
EXTRA_DIST += tests/protocol/frames.py tests/protocol/worker.py tests/protocol/streams.py tests/protocol/either.py tests/protocol/misbehaving.py tests/cli/test_protocol.py tests/cli/test_requests.py
if HAVE_PYTHON3
TESTS += tests/cli/test_protocol.py tests/cli/test_requests.py
endif
EXTRA_DIST += tests/protocol/vectors.txt tests/protocol/vectors.py tests/protocol/batches.py
if HAVE_CHECK
check_PROGRAMS += tests/unit/test-vectors
TESTS += tests/unit/test-vectors
tests_unit_test_vectors_SOURCES = tests/unit/test-vectors.c worker/link-input.c
tests_unit_test_vectors_CPPFLAGS = $(unit_cppflags)
tests_unit_test_vectors_LDADD = $(unit_ldadd)
endif
if HAVE_CHECK
check_PROGRAMS += tests/unit/test-stream-hostile
TESTS += tests/unit/test-stream-hostile
tests_unit_test_stream_hostile_SOURCES = tests/unit/test-stream-hostile.c worker/link-input.c
tests_unit_test_stream_hostile_CPPFLAGS = $(unit_cppflags)
tests_unit_test_stream_hostile_LDADD = $(unit_ldadd)
endif
