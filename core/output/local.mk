# core/output: Files that appear whole or not at all; artifacts, and the litter of those that were killed.
# It includes core/base (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/output/artifacts.c \
	core/output/artifacts.h \
	core/output/artifacts-pack.c \
	core/output/artifacts-stream.h \
	core/output/artifacts-unpack.c \
	core/output/claims.c \
	core/output/claims.h \
	core/output/hidden.c \
	core/output/hidden.h \
	core/output/input.c \
	core/output/input.h \
	core/output/litter.c \
	core/output/litter.h \
	core/output/output-append.c \
	core/output/output-append.h \
	core/output/output-aside.c \
	core/output/output-folders.c \
	core/output/output-folders.h \
	core/output/output-hidden.c \
	core/output/output-hidden.h \
	core/output/output-state.c \
	core/output/output-state.h \
	core/output/output-publish.c \
	core/output/output.c \
	core/output/output.h \
	$(NULL)
