# The protocol as a stranger sees it: a worker in Python (tests/protocol), written from docs/protocol.md.
EXTRA_DIST += tests/protocol/frames.py tests/protocol/worker.py tests/protocol/streams.py tests/protocol/either.py tests/protocol/misbehaving.py tests/protocol/home.py tests/cli/test_protocol.py tests/cli/test_home_protocol.py tests/cli/test_requests.py
if HAVE_PYTHON3
TESTS += tests/cli/test_home_protocol.py tests/cli/test_protocol.py tests/cli/test_requests.py
endif
EXTRA_DIST += tests/protocol/vectors.txt tests/protocol/vectors.py tests/protocol/batches.py
