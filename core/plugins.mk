libosiris_core_la_SOURCES += \
	core/artifacts.c core/artifacts.h \
	core/ask-worker.c core/ask-worker.h \
	core/guarded.c core/guarded.h core/read-to-end.c core/read-to-end.h \
	core/loader.c core/loader.h \
	core/near-miss.c core/near-miss.h \
	core/output.c core/output.h core/output-internal.h \
	core/output-append.c \
	core/output-aside.c \
	core/output-folders.c \
	core/registry.c core/registry.h \
	core/registry-files.c core/registry-files.h \
	core/spec-check.c core/spec-check.h \
	$(NULL)
