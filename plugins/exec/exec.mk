# The execution adapter for places that a command reaches.
adapter_LTLIBRARIES += exec.la
exec_la_SOURCES = \
	plugins/exec/command.c plugins/exec/command.h \
	plugins/exec/errors.c plugins/exec/errors.h \
	plugins/exec/exec.c \
	plugins/exec/greeting.c plugins/exec/greeting.h \
	plugins/exec/link.c plugins/exec/link.h \
	plugins/exec/log.c plugins/exec/log.h \
	plugins/exec/options.c plugins/exec/options.h \
	plugins/exec/script.c plugins/exec/script.h \
	plugins/exec/words.c plugins/exec/words.h \
	$(NULL)
exec_la_LIBADD = libosiris-kit-pic.la
exec_la_LDFLAGS = $(plugin_ldflags)
