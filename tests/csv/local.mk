# Python's csv module as a reader of csv.writer.
if HAVE_CHECK
check_PROGRAMS += tests/csv/dump
tests_csv_dump_SOURCES = tests/csv/dump.c
tests_csv_dump_CPPFLAGS = $(unit_cppflags)
tests_csv_dump_LDADD = $(csv_test_ldadd)
if HAVE_PYTHON3
TESTS += tests/csv/differential.py tests/csv/options.py tests/csv/read_back.py
endif
endif
EXTRA_DIST += tests/csv/differential.py tests/csv/options.py tests/csv/read_back.py tests/csv/table.py
