# bench/csv-format: how fast csv.writer formats, from memory. Built by `make bench/csv-format`.
EXTRA_PROGRAMS += bench/csv-format
bench_csv_format_SOURCES = bench/csv-format.c
bench_csv_format_LDADD = libosiris-csv.la
CLEANFILES += bench/csv-format$(EXEEXT)
