# libosiris-core: what both programs need, in rooms. Not installed.
noinst_LTLIBRARIES += libosiris-core.la
libosiris_core_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(MSGPACK_CFLAGS) $(NETTLE_CFLAGS) $(LZ4_CFLAGS) $(ZSTD_CFLAGS)
libosiris_core_la_LIBADD = $(JSON_C_LIBS) $(MSGPACK_LIBS) $(NETTLE_LIBS) $(LZ4_LIBS) $(ZSTD_LIBS) $(LTDL_LIBS) $(LIBM)
libosiris_core_la_SOURCES =
include core/base/local.mk
include core/arrow/local.mk
include core/wire/local.mk
include core/plugin/local.mk
include core/output/local.mk
