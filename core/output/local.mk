# core/output: Files that appear whole or not at all, and what killed workers leave.
# It includes core/base (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/output/artifacts.c \
	core/output/artifacts.h \
	core/output/litter.c \
	core/output/litter.h \
	core/output/output-append.c \
	core/output/output-aside.c \
	core/output/output-folders.c \
	core/output/output-internal.h \
	core/output/output-publish.c \
	core/output/output.c \
	core/output/output.h \
	$(NULL)
