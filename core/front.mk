libosiris_core_la_SOURCES += \
	core/diagnostic.c core/diagnostic.h \
	core/duration.c core/duration.h \
	core/params.c core/params.h \
	core/places.c core/places.h \
	core/pipeline.c core/pipeline.h core/pipeline-internal.h \
	core/pipeline-limits.c \
	core/pipeline-needs.c \
	core/pipeline-secrets.c \
	core/pipeline-steps.c \
	core/retry.c core/retry.h \
	core/yaml-build.c \
	core/yaml-internal.h \
	core/yaml-values.c \
	core/yaml.c core/yaml.h \
	$(NULL)
