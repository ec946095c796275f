# The execution adapter for places that a command reaches.
adapter_LTLIBRARIES += exec.la
exec_la_SOURCES = \
	plugins/exec/child.c plugins/exec/child.h \
	plugins/exec/exec.c \
	plugins/exec/fail.c plugins/exec/fail.h \
	plugins/exec/greeting.c plugins/exec/greeting.h \
	plugins/exec/options.c plugins/exec/options.h \
	plugins/exec/script.c plugins/exec/script.h \
	plugins/exec/watch.c plugins/exec/watch.h \
	$(NULL)
exec_la_LDFLAGS = $(plugin_ldflags)
