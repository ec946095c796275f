# orchestrator/compile: From a pipeline to a manifest, configs and a plan.
# It includes core, orchestrator/base, orchestrator/registry and orchestrator/oml (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/compile/check.c \
	orchestrator/compile/check.h \
	orchestrator/compile/compile.c \
	orchestrator/compile/compile.h \
	orchestrator/compile/compiler.c \
	orchestrator/compile/compiler.h \
	orchestrator/compile/configs.c \
	orchestrator/compile/configs.h \
	orchestrator/compile/connection.c \
	orchestrator/compile/connection.h \
	orchestrator/compile/drivers.c \
	orchestrator/compile/drivers.h \
	orchestrator/compile/graph.c \
	orchestrator/compile/graph.h \
	orchestrator/compile/limits.c \
	orchestrator/compile/limits.h \
	orchestrator/compile/outputs.c \
	orchestrator/compile/plan.c \
	orchestrator/compile/plan.h \
	orchestrator/compile/outputs.h \
	orchestrator/compile/sizes.c \
	orchestrator/compile/sizes.h \
	orchestrator/compile/write.c \
	$(NULL)
