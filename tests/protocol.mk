# The protocol as a stranger sees it: a worker in Python (tests/protocol), written from docs/protocol.md.
EXTRA_DIST += tests/protocol/frames.py tests/protocol/worker.py tests/protocol/misbehaving.py tests/cli/test_protocol.py
if HAVE_PYTHON3
TESTS += tests/cli/test_protocol.py
endif
