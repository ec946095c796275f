# orchestrator/registry: What can be a step, and where it is: folders, descriptions, adapters' files.
# It includes core and orchestrator/base (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/registry/adapter-file.c \
	orchestrator/registry/adapter-file.h \
	orchestrator/registry/ask-worker.c \
	orchestrator/registry/ask-worker.h \
	orchestrator/registry/paths.c \
	orchestrator/registry/paths.h \
	orchestrator/registry/plugin-files.c \
	orchestrator/registry/plugin-files.h \
	orchestrator/registry/registry-files.c \
	orchestrator/registry/registry-files.h \
	orchestrator/registry/registry.c \
	orchestrator/registry/registry.h \
	$(NULL)
