# osiris-worker: runs the steps.
worker_PROGRAMS += osiris-worker
osiris_worker_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS)
# Libraries and plug-ins are to find the malloc of core/base/allocator.c.
osiris_worker_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
osiris_worker_LDADD = libosiris-core.la $(JSON_C_LIBS)
osiris_worker_SOURCES = $(worker_sources) worker/main.c core/base/allocator.c
worker_sources = \
	worker/answer.c worker/answer.h \
	worker/attempt.c worker/attempt.h \
	worker/batch.c worker/batch.h \
	worker/calls.c worker/calls.h \
	worker/cancel.c worker/cancel.h \
	worker/columns.c worker/columns.h \
	worker/decide.c worker/decide.h \
	worker/describe.c worker/describe.h \
	worker/door.c worker/door.h \
	worker/edges.c worker/edges.h \
	worker/fields.c worker/fields.h \
	worker/files.c worker/files.h \
	worker/folders.c worker/folders.h \
	worker/home.c worker/home.h \
	worker/home-artifacts.c worker/home-artifacts.h \
	worker/home-messages.c worker/home-messages.h \
	worker/home-pump.c worker/home-pump.h \
	worker/home-state.c worker/home-state.h \
	worker/host.c worker/host.h \
	worker/hosting.c worker/hosting.h \
	worker/input-streams.c worker/input-streams.h \
	worker/inquire.c worker/inquire.h \
	worker/interrupt.c worker/interrupt.h \
	worker/lifecycle.c worker/lifecycle.h \
	worker/link-input.c worker/link-input.h \
	worker/link-output.c worker/link-output.h \
	worker/loop.c \
	worker/methods.c \
	worker/name-service.c worker/name-service.h \
	worker/output-stream.c worker/output-stream.h \
	worker/prepare.c worker/prepare.h \
	worker/queue.c worker/queue.h \
	worker/relay/callers.c worker/relay/callers.h \
	worker/relay/commands.c worker/relay/commands.h \
	worker/relay/folder.c worker/relay/folder.h \
	worker/relay/keeper.c worker/relay/keeper.h \
	worker/relay/log-store.c worker/relay/log-store.h \
	worker/relay/pump.c worker/relay/pump.h \
	worker/relay/relay.c worker/relay/relay.h \
	worker/relay/start.c worker/relay/start.h \
	worker/reports.c worker/reports.h \
	worker/requests.c worker/requests.h \
	worker/run-plan.c worker/run-plan.h \
	worker/run.c worker/run.h \
	worker/signs.c worker/signs.h \
	worker/stand-in.c worker/stand-in.h \
	worker/start.c worker/start.h \
	worker/step-messages.c worker/step-messages.h \
	worker/step-plan.c worker/step-plan.h \
	worker/step.c worker/step.h \
	worker/stream-messages.c worker/stream-messages.h \
	worker/validate.c worker/validate.h \
	worker/verbs.c worker/verbs.h \
	worker/progress.h \
	worker/worker.h \
	$(NULL)
