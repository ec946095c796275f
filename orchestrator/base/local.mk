# orchestrator/base: what its other rooms and cli/ stand on: what reaches a terminal, near misses, canonical JSON, messages masked.
# It includes core (tests/layers.py).
libosiris_orchestrator_la_SOURCES += \
	orchestrator/base/canonical-json.c \
	orchestrator/base/canonical-json.h \
	orchestrator/base/ending-signals.c \
	orchestrator/base/ending-signals.h \
	orchestrator/base/near-miss.c \
	orchestrator/base/near-miss.h \
	orchestrator/base/redact-message.c \
	orchestrator/base/redact-message.h \
	orchestrator/base/terminal.c \
	orchestrator/base/terminal.h \
	$(NULL)
