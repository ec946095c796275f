libosiris_core_la_SOURCES += \
	core/channel.c core/channel.h core/channel-internal.h core/channel-peer.c core/channel-send.c core/channel-resume.c \
	core/frame.c core/frame.h \
	core/message.c core/message.h \
	core/trace.h core/trace-read.c core/trace-write.c \
	core/terminal.c core/terminal.h core/utf8.c core/utf8.h \
	$(NULL)
