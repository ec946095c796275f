# bench/csv-format: how fast csv.writer formats, from memory. Built by `make bench/csv-format`.
EXTRA_PROGRAMS += bench/csv-format
bench_csv_format_SOURCES = bench/csv-format.c
bench_csv_format_LDADD = libosiris-csv.la
CLEANFILES += bench/csv-format$(EXEEXT)
# bench/mysql-fetch: how fast libmariadb gives rows, by each of its ways. Built by `make bench/mysql-fetch`.
if HAVE_MYSQL
EXTRA_PROGRAMS += bench/mysql-fetch
bench_mysql_fetch_SOURCES = bench/mysql-fetch.c
bench_mysql_fetch_CPPFLAGS = $(AM_CPPFLAGS) $(MYSQL_CFLAGS)
bench_mysql_fetch_LDADD = $(MYSQL_LIBS)
CLEANFILES += bench/mysql-fetch$(EXEEXT)
endif
# bench/rpc: what the protocol costs, beside raw sockets. Built by `make bench/rpc`, with what it drives.
EXTRA_PROGRAMS += bench/rpc
bench_rpc_SOURCES = bench/rpc.c bench/rpc.h bench/rpc-batches.c bench/rpc-codec.c bench/rpc-count.c bench/rpc-latency.c \
	bench/rpc-places.c bench/rpc-shapes.c worker/link-input.c worker/link-output.c worker/calls.c worker/signs.c worker/queue.c worker/batch.c
bench_rpc_CPPFLAGS = $(AM_CPPFLAGS) $(JSON_C_CFLAGS)
# What is counted must not be what the compiler makes of it.
bench_rpc_CFLAGS = $(AM_CFLAGS) -fno-builtin
bench_rpc_LDADD = libosiris-core.la $(JSON_C_LIBS)
bench_rpc_DEPENDENCIES = libosiris-core.la osiris$(EXEEXT) osiris-worker$(EXEEXT) $(driver_LTLIBRARIES) \
	$(adapter_LTLIBRARIES) tests/plugins/generate.la
CLEANFILES += bench/rpc$(EXEEXT)
