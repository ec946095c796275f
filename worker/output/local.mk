# worker/output: files that appear whole or not at all.
# It includes core (tests/layers.py).
worker_output_sources = \
	worker/output/output-append.c \
	worker/output/output-append.h \
	worker/output/output-aside.c \
	worker/output/output-folders.c \
	worker/output/output-folders.h \
	worker/output/output-hidden.c \
	worker/output/output-hidden.h \
	worker/output/output-state.c \
	worker/output/output-state.h \
	worker/output/output.c \
	worker/output/output.h \
	$(NULL)
