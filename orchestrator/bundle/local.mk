# orchestrator/bundle: The worker with everything that it needs, in one archive that runs anywhere.
# It includes core, orchestrator/base and orchestrator/registry (tests/layers.py).
if HAVE_BUNDLE
libosiris_orchestrator_la_CPPFLAGS += $(ELF_CFLAGS) $(ZLIB_CFLAGS)
libosiris_orchestrator_la_LIBADD += $(ELF_LIBS) $(ZLIB_LIBS)
libosiris_orchestrator_la_SOURCES += \
	orchestrator/bundle/archive.c \
	orchestrator/bundle/archive.h \
	orchestrator/bundle/bundle.c \
	orchestrator/bundle/bundle.h \
	orchestrator/bundle/cache.c \
	orchestrator/bundle/cache.h \
	orchestrator/bundle/contents.c \
	orchestrator/bundle/contents.h \
	orchestrator/bundle/description.c \
	orchestrator/bundle/description.h \
	orchestrator/bundle/elf-file.c \
	orchestrator/bundle/elf-file.h \
	orchestrator/bundle/launch.c \
	orchestrator/bundle/launch.h \
	orchestrator/bundle/libraries.c \
	orchestrator/bundle/libraries.h \
	orchestrator/bundle/pack.c \
	orchestrator/bundle/pack.h \
	orchestrator/bundle/runtime-files.c \
	orchestrator/bundle/runtime-files.h \
	orchestrator/bundle/tar.c \
	orchestrator/bundle/tar.h \
	orchestrator/bundle/trust.c \
	orchestrator/bundle/trust.h \
	$(NULL)
endif
