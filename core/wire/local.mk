# core/wire: The protocol: frames, messages, the channel, batches as bytes.
# It includes core/base and core/arrow (tests/layers.py).
libosiris_core_la_SOURCES += \
	core/wire/batch.h \
	core/wire/body.c \
	core/wire/body.h \
	core/wire/channel-flush.c \
	core/wire/channel-flush.h \
	core/wire/channel-parts.c \
	core/wire/channel-parts.h \
	core/wire/channel-peer.c \
	core/wire/channel-resume.c \
	core/wire/channel-resume.h \
	core/wire/channel-send.c \
	core/wire/channel-state.c \
	core/wire/channel-state.h \
	core/wire/channel.c \
	core/wire/channel.h \
	core/wire/compress.c \
	core/wire/decode.c \
	core/wire/encode.c \
	core/wire/frame-list.c \
	core/wire/frame-list.h \
	core/wire/frame.c \
	core/wire/frame.h \
	core/wire/indices.c \
	core/wire/message.c \
	core/wire/message.h \
	core/wire/pace.c \
	core/wire/pace.h \
	core/wire/schema.c \
	core/wire/stream.c \
	core/wire/window.c \
	core/wire/window.h \
	$(NULL)
