# core/base: what everything stands on: errors, memory, buffers, clocks, JSON, small files, redaction, processes.
# It includes nothing else of ours (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/base/absolute-path.c \
	core/base/absolute-path.h \
	core/base/atomic-file.c \
	core/base/atomic-file.h \
	core/base/buffer.c \
	core/base/buffer.h \
	core/base/cleanup.h \
	core/base/clock.c \
	core/base/clock.h \
	core/base/condition.c \
	core/base/condition.h \
	core/base/error.c \
	core/base/error.h \
	core/base/file-id.c \
	core/base/file-id.h \
	core/base/fingerprint.c \
	core/base/fingerprint.h \
	core/base/json-access.h \
	core/base/json-build.h \
	core/base/json-text.c \
	core/base/json-text.h \
	core/base/memory.c \
	core/base/memory.h \
	core/base/one-of.h \
	core/base/orphans.c \
	core/base/orphans.h \
	core/base/pause.c \
	core/base/pause.h \
	core/base/read-to-end.c \
	core/base/read-to-end.h \
	core/base/redact.c \
	core/base/redact.h \
	core/base/remove-tree.c \
	core/base/remove-tree.h \
	core/base/secret-keys.c \
	core/base/utf8.c \
	core/base/utf8.h \
	$(NULL)
