# orchestrator/oml: What users write: YAML, pipelines, parameters, connections, places.
# It includes core, orchestrator/base and orchestrator/registry (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/oml/connections.c \
	orchestrator/oml/connections.h \
	orchestrator/oml/diagnostic.c \
	orchestrator/oml/diagnostic.h \
	orchestrator/oml/duration.c \
	orchestrator/oml/duration.h \
	orchestrator/oml/params.c \
	orchestrator/oml/params.h \
	orchestrator/oml/pipeline-limits.c \
	orchestrator/oml/pipeline-limits.h \
	orchestrator/oml/pipeline-needs.c \
	orchestrator/oml/pipeline-needs.h \
	orchestrator/oml/pipeline-option.c \
	orchestrator/oml/pipeline-option.h \
	orchestrator/oml/pipeline-reader.c \
	orchestrator/oml/pipeline-reader.h \
	orchestrator/oml/pipeline-secrets.c \
	orchestrator/oml/pipeline-secrets.h \
	orchestrator/oml/pipeline-steps.c \
	orchestrator/oml/pipeline-steps.h \
	orchestrator/oml/pipeline.c \
	orchestrator/oml/pipeline.h \
	orchestrator/oml/places.c \
	orchestrator/oml/places.h \
	orchestrator/oml/retry.c \
	orchestrator/oml/retry.h \
	orchestrator/oml/variables.c \
	orchestrator/oml/variables.h \
	orchestrator/oml/yaml-build.c \
	orchestrator/oml/yaml-build.h \
	orchestrator/oml/yaml-document.c \
	orchestrator/oml/yaml-document.h \
	orchestrator/oml/yaml-values.c \
	orchestrator/oml/yaml.c \
	orchestrator/oml/yaml.h \
	$(NULL)
