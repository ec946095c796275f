# orchestrator/files: The files of this machine that steps in other places read and write.
# It includes core (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/files/file.c \
	orchestrator/files/file.h \
	orchestrator/files/files.c \
	orchestrator/files/files.h \
	orchestrator/files/file-events.c \
	orchestrator/files/file-events.h \
	orchestrator/files/file-groups.c \
	orchestrator/files/file-groups.h \
	orchestrator/files/file-state.h \
	$(NULL)
