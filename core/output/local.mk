# core/output: What workers leave: artifacts, and the litter of those that were killed.
# It includes core/base (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/output/artifacts.c \
	core/output/artifacts.h \
	core/output/hidden.c \
	core/output/hidden.h \
	core/output/litter.c \
	core/output/litter.h \
	$(NULL)
