# orchestrator/adapter: An execution adapter in use.
# It includes core, orchestrator/base and orchestrator/registry (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/adapter/adapter-bundle.c \
	orchestrator/adapter/adapter-bundle.h \
	orchestrator/adapter/adapter-channel.c \
	orchestrator/adapter/adapter-channel.h \
	orchestrator/adapter/calls.c \
	orchestrator/adapter/calls.h \
	orchestrator/adapter/guard.c \
	orchestrator/adapter/guard.h \
	orchestrator/adapter/host.c \
	orchestrator/adapter/host.h \
	orchestrator/adapter/tasks.c \
	orchestrator/adapter/thread-work.h \
	orchestrator/adapter/thread.c \
	orchestrator/adapter/thread.h \
	orchestrator/adapter/worker-log.c \
	orchestrator/adapter/worker-log.h \
	$(NULL)
