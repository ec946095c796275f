# The kit: installed as libosiris-kit.a, compiled to be linked into shared objects. Our own drivers link the libtool
# convenience library of the same objects.
osirisinclude_HEADERS += include/osiris/kit.h
noinst_LTLIBRARIES += libosiris-kit-pic.la
kit_sources = drivers/kit/builder.c drivers/kit/report.c
libosiris_kit_pic_la_SOURCES = $(kit_sources)
lib_LIBRARIES += libosiris-kit.a
libosiris_kit_a_SOURCES = $(kit_sources)
libosiris_kit_a_CFLAGS = $(AM_CFLAGS) -fPIC
