# The `osiris` command: one file a subcommand.
bin_PROGRAMS += osiris
osiris_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS)
# Libraries and plug-ins are to find the malloc of core/base/allocator.c.
osiris_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
osiris_LDADD = libosiris-orchestrator.la
osiris_SOURCES = \
	core/base/allocator.c \
	cli/arguments.c cli/arguments.h \
	cli/build.c cli/build.h \
	cli/cmd-compile.c \
	cli/cmd-components.c \
	cli/cmd-connections.c \
	cli/cmd-discovery.c \
	cli/cmd-rpc.c \
	cli/cmd-run.c \
	cli/cmd-validate.c \
	cli/commands.h \
	cli/inquiry.c cli/inquiry.h \
	cli/main.c \
	cli/progress.c cli/progress.h \
	cli/report.c cli/report.h \
	cli/rpc-debug.c cli/rpc-debug.h \
	cli/run-options.c cli/run-options.h \
	cli/run-records.c cli/run-records.h \
	cli/run-report.c cli/run-report.h \
	cli/summary.c cli/summary.h \
	cli/supervise.c cli/supervise.h
if HAVE_BUNDLE
osiris_SOURCES += cli/cmd-bundle.c cli/place-bundle.c cli/place-bundle.h
endif
