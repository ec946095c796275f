# osiris-worker: runs the steps.
worker_PROGRAMS += osiris-worker
osiris_worker_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS)
# Libraries and plug-ins are to find the malloc of core/base/allocator.c.
osiris_worker_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
osiris_worker_LDADD = libosiris-core.la $(JSON_C_LIBS)
osiris_worker_SOURCES = $(worker_sources) worker/main.c core/base/allocator.c
worker_sources = \
	worker/batch.c worker/batch.h \
	worker/queue.c worker/queue.h \
	worker/answer.c \
	worker/beats.c \
	worker/claims.c \
	worker/columns.c \
	worker/decide.c \
	worker/describe.c worker/describe.h \
	worker/door.c worker/door.h \
	worker/edge.c \
	worker/files.c \
	worker/host.c \
	worker/hosting.c \
	worker/inquire.c \
	worker/lifecycle.c worker/lifecycle.h \
	worker/link.h \
	worker/link-input.c \
	worker/link-output.c \
	worker/loop.c \
	worker/methods.c \
	worker/run.c worker/run.h \
	worker/signs.c \
	worker/step.c \
	worker/stream.c \
	worker/validate.c worker/validate.h \
	worker/worker.h \
	$(NULL)
