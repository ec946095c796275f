# Tests: units with Check (tests/unit/), the real binary (tests/cli/). A fragment an area.
AM_TESTS_ENVIRONMENT = \
	OSIRIS=$(abs_top_builddir)/osiris; export OSIRIS; \
	OSIRIS_WORKER=$(abs_top_builddir)/osiris-worker; export OSIRIS_WORKER; \
	OSIRIS_TEST_DRIVERS=$(abs_top_builddir)/.libs:$(abs_top_builddir)/tests/plugins/.libs; export OSIRIS_TEST_DRIVERS; \
	OSIRIS_SANITIZED=$(sanitized); export OSIRIS_SANITIZED; \
	CK_FORK=$(check_fork); export CK_FORK; \
	ASAN_OPTIONS=handle_segv=0:handle_abort=0; export ASAN_OPTIONS; \
	TSAN_OPTIONS=handle_segv=0:handle_abort=0; export TSAN_OPTIONS; \
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
EXTRA_DIST += tests/unit.h
include tests/front.mk
include tests/compile.mk
include tests/records.mk
include tests/rpc.mk
include tests/plugins-built.mk
include tests/plugins.mk
include tests/stream.mk
include tests/kit.mk
include tests/csv.mk
include tests/mysql.mk
include tests/protocol.mk
include tests/cli.mk
include tests/campaign.mk

# Descriptions of drivers that the tests of the real binary share.
clean-local:
	rm -rf tests/cache
