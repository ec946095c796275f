libosiris_core_la_SOURCES += \
	core/arrow-check.c core/arrow-check.h \
	core/arrow-layout.c core/arrow-layout.h \
	core/arrow-share.c core/arrow-share.h \
	core/batch.c core/batch.h \
	core/body.c core/body.h \
	core/queue.c core/queue.h \
	core/wire-batch.h \
	core/wire-compress.c \
	core/wire-stream.c \
	core/wire-decode.c \
	core/wire-encode.c \
	core/wire-indices.c \
	core/wire-schema.c \
	$(NULL)
