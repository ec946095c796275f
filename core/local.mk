# libosiris-core: what the command and the worker share. Not installed.
noinst_LTLIBRARIES += libosiris-core.la
libosiris_core_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(FYAML_CFLAGS) $(MSGPACK_CFLAGS) $(NETTLE_CFLAGS) $(LZ4_CFLAGS) $(ZSTD_CFLAGS)
libosiris_core_la_LIBADD = $(JSON_C_LIBS) $(FYAML_LIBS) $(MSGPACK_LIBS) $(NETTLE_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(LTDL_LIBS) $(LIBM)
libosiris_core_la_SOURCES = \
	core/buffer.c core/buffer.h \
	core/cleanup.h \
	core/error.c core/error.h \
	core/memory.c core/memory.h \
	$(NULL)
include core/front.mk
include core/compile.mk
include core/records.mk
include core/rpc.mk
include core/plugins.mk
include core/stream.mk
include core/session.mk
