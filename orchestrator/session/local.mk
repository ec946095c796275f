# orchestrator/session: Running a plan: the schedule, and the conversation with the workers.
# It includes core and the other rooms of orchestrator (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/session/answers.c \
	orchestrator/session/attempts.c \
	orchestrator/session/deadlines.c \
	orchestrator/session/link.c \
	orchestrator/session/messages.c \
	orchestrator/session/orphans.c \
	orchestrator/session/pause.c \
	orchestrator/session/place.c \
	orchestrator/session/records.c \
	orchestrator/session/reports.c \
	orchestrator/session/requests.c \
	orchestrator/session/schedule.c \
	orchestrator/session/schedule.h \
	orchestrator/session/session.c \
	orchestrator/session/session.h \
	orchestrator/session/silence.c \
	orchestrator/session/start.c \
	orchestrator/session/state.h \
	orchestrator/session/steps.c \
	orchestrator/session/streams.c \
	orchestrator/session/trace.c \
	$(NULL)
