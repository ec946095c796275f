# libosiris-orchestrator: what only `osiris` needs, in rooms. The worker does not link it. Not installed.
noinst_LTLIBRARIES += libosiris-orchestrator.la
libosiris_orchestrator_la_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(FYAML_CFLAGS) $(NETTLE_CFLAGS) \
	-DOSIRIS_DRIVER_DIR='"$(driverdir)"' \
	-DOSIRIS_ADAPTER_DIR='"$(adapterdir)"' \
	-DOSIRIS_WORKER_DIR='"$(workerdir)"'
libosiris_orchestrator_la_LIBADD = libosiris-core.la $(FYAML_LIBS)
libosiris_orchestrator_la_SOURCES =
include orchestrator/base/local.mk
include orchestrator/registry/local.mk
include orchestrator/bundle/local.mk
include orchestrator/oml/local.mk
include orchestrator/compile/local.mk
include orchestrator/records/local.mk
include orchestrator/adapter/local.mk
include orchestrator/files/local.mk
include orchestrator/session/local.mk
