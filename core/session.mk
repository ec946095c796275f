libosiris_core_la_SOURCES += \
	core/adapter-file.c core/adapter-file.h \
	core/adapter-guard.c core/adapter-guard.h core/process-end.h \
	core/adapter-host.c core/adapter-host.h \
	core/adapter-tasks.c \
	core/adapter-thread.c core/adapter-thread.h core/adapter-thread-internal.h \
	core/ending-signals.c core/ending-signals.h \
	core/host-values.c core/host-values.h \
	core/json-access.h core/json-build.h \
	core/json-text.c core/json-text.h \
	core/one-of.h \
	core/litter.c core/litter.h \
	core/orphans.c core/orphans.h \
	core/remove-tree.c core/remove-tree.h \
	core/schedule.c core/schedule.h \
	core/session.c core/session.h \
	core/session-attempts.c core/session-deadlines.c core/session-pause.c core/session-orphans.c core/session-silence.c \
	core/session-answers.c core/session-link.c core/session-messages.c core/session-reports.c core/session-place.c core/session-streams.c \
	core/session-records.c core/session-start.c core/session-steps.c \
	core/session-trace.c \
	core/session-requests.c \
	core/session-state.h \
	core/worker-log.c core/worker-log.h \
	$(NULL)
