libosiris_core_la_SOURCES += \
	core/atomic-file.c core/atomic-file.h \
	core/clock.c core/clock.h \
	core/fingerprint.c core/fingerprint.h \
	core/redact.c core/redact.h \
	core/rundir.c core/rundir.h \
	core/secret-keys.c \
	$(NULL)
