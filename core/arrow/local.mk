# core/arrow: Arrow arrays: checked, laid out, shared.
# It includes core/base (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/arrow/check.c \
	core/arrow/check.h \
	core/arrow/layout.c \
	core/arrow/layout.h \
	core/arrow/share.c \
	core/arrow/share.h \
	$(NULL)
