# Tests: units with Check (tests/unit/), the real binary (tests/cli/). A fragment a folder.
AM_TESTS_ENVIRONMENT = \
	OSIRIS=$(abs_top_builddir)/osiris; export OSIRIS; \
	OSIRIS_WORKER=$(abs_top_builddir)/osiris-worker; export OSIRIS_WORKER; \
	OSIRIS_TEST_DRIVERS=$(abs_top_builddir)/.libs:$(abs_top_builddir)/tests/plugins/.libs; export OSIRIS_TEST_DRIVERS; \
	OSIRIS_SANITIZED=$(sanitized); export OSIRIS_SANITIZED; \
	CK_FORK=$(check_fork); export CK_FORK; \
	ASAN_OPTIONS=handle_segv=0:handle_abort=0; export ASAN_OPTIONS; \
	TSAN_OPTIONS=handle_segv=0:handle_abort=0; export TSAN_OPTIONS; \
	OWN_CPPFLAGS="-D_GNU_SOURCE -I$(abs_top_builddir) $(JSON_C_CFLAGS) $(FYAML_CFLAGS) $(MYSQL_CFLAGS) $(LZ4_CFLAGS) $(ZSTD_CFLAGS)"; export OWN_CPPFLAGS; \
	srcdir=$(srcdir); top_srcdir=$(top_srcdir); CC="$(CC)"; CXX="$(CXX)"; export srcdir top_srcdir CC CXX; \
	top_builddir=$(abs_top_builddir); export top_builddir;
if SANITIZED
# Check's forks and the sanitizers' leak reports do not go together.
sanitized = yes
check_fork = no
else
sanitized = no
check_fork = yes
endif
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
PY_LOG_DRIVER = $(LOG_DRIVER)
TEST_EXTENSIONS = .py
PY_LOG_COMPILER = $(PYTHON3)
unit_cppflags = $(AM_CPPFLAGS) $(JSON_C_CFLAGS) $(MSGPACK_CFLAGS) $(FYAML_CFLAGS) $(CHECK_CFLAGS) -I$(top_srcdir)/tests
unit_ldadd = libosiris-core.la $(CHECK_LIBS)
# A temporary folder for tests that write files.
unit_folder = tests/unit-folder.c tests/unit-folder.h
EXTRA_DIST += tests/unit.h
EXTRA_DIST += tests/headers tests/layers.py tests/own-headers
TESTS += tests/headers tests/own-headers
if HAVE_PYTHON3
TESTS += tests/layers.py
endif
include tests/plugins/local.mk
include tests/unit/core/base/local.mk
include tests/unit/core/wire/local.mk
include tests/unit/core/plugin/local.mk
include tests/unit/orchestrator/base/local.mk
include tests/unit/orchestrator/bundle/local.mk
include tests/unit/orchestrator/oml/local.mk
include tests/unit/orchestrator/compile/local.mk
include tests/unit/orchestrator/records/local.mk
include tests/unit/orchestrator/session/local.mk
include tests/unit/worker/local.mk
include tests/unit/core/output/local.mk
include tests/unit/cli/local.mk
include tests/unit/drivers/kit/local.mk
include tests/unit/drivers/csv/local.mk
include tests/unit/plugins/exec/local.mk
include tests/csv/local.mk
include tests/mysql/local.mk
include tests/protocol/local.mk
include tests/cli/local.mk
include tests/campaign/local.mk

# Descriptions of drivers that the tests of the real binary share.
clean-local:
	rm -rf tests/cache
