# orchestrator/compile: From a pipeline to a manifest, configs and a plan.
# It includes core, orchestrator/registry and orchestrator/oml (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/compile/check.c \
	orchestrator/compile/compile.c \
	orchestrator/compile/compile.h \
	orchestrator/compile/configs.c \
	orchestrator/compile/configs.h \
	orchestrator/compile/connection.c \
	orchestrator/compile/drivers.c \
	orchestrator/compile/graph.c \
	orchestrator/compile/graph.h \
	orchestrator/compile/internal.h \
	orchestrator/compile/limits.c \
	orchestrator/compile/outputs.c \
	orchestrator/compile/plan.c \
	orchestrator/compile/plan.h \
	orchestrator/compile/sizes.c \
	orchestrator/compile/write.c \
	$(NULL)
