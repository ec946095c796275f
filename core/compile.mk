libosiris_core_la_SOURCES += \
	core/canonical-json.c core/canonical-json.h \
	core/compile.c core/compile.h core/compile-internal.h \
	core/compile-configs.c core/compile-configs.h \
	core/compile-check.c core/compile-connection.c \
	core/compile-drivers.c \
	core/compile-limits.c \
	core/compile-outputs.c \
	core/compile-outputs.c core/compile-sizes.c \
	core/compile-write.c \
	core/connections.c core/connections.h core/variables.c core/variables.h \
	core/graph.c core/graph.h \
	core/schema.c core/schema.h \
	$(NULL)
