# orchestrator/records: What a run leaves: its directory, the index, traces.
# It includes core and orchestrator/base (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/records/beneath.c \
	orchestrator/records/beneath.h \
	orchestrator/records/own-names.c \
	orchestrator/records/own-names.h \
	orchestrator/records/run-index.c \
	orchestrator/records/run-index.h \
	orchestrator/records/rundir.c \
	orchestrator/records/rundir.h \
	orchestrator/records/trace-read.c \
	orchestrator/records/trace-write.c \
	orchestrator/records/trace.h \
	$(NULL)
