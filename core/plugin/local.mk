# core/plugin: Plug-ins: loading objects, their specs, the values and calls between host and plug-in.
# It includes core/base (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/plugin/guarded.c \
	core/plugin/guarded.h \
	core/plugin/host-values.c \
	core/plugin/host-values.h \
	core/plugin/kind.c \
	core/plugin/kind.h \
	core/plugin/loader.c \
	core/plugin/loader.h \
	core/plugin/schema.c \
	core/plugin/schema.h \
	core/plugin/spec-check.c \
	core/plugin/spec-check.h \
	$(NULL)
