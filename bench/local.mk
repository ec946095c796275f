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
