# Time, redaction, the run's directory, and where the installed parts are.
libosiris_core_la_CPPFLAGS += \
	-DOSIRIS_DRIVER_DIR='"$(driverdir)"' \
	-DOSIRIS_ADAPTER_DIR='"$(adapterdir)"' \
	-DOSIRIS_WORKER_DIR='"$(workerdir)"'
libosiris_core_la_SOURCES += \
	core/absolute-path.c core/absolute-path.h \
	core/atomic-file.c core/atomic-file.h \
	core/clock.c core/clock.h \
	core/pause.c core/pause.h \
	core/fingerprint.c core/fingerprint.h \
	core/paths.c core/paths.h \
	core/redact.c core/redact.h core/redact-message.c \
	core/beneath.c core/beneath.h core/run-index.c core/run-index.h \
	core/rundir.c core/rundir.h \
	core/secret-keys.c \
	$(NULL)
