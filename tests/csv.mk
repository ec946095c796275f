# csv.writer: each type's text, the driver's behaviour, and Python's csv module as a reader.
if HAVE_CHECK
check_LTLIBRARIES += tests/csv/libcsvfixture.la
tests_csv_libcsvfixture_la_SOURCES = tests/csv/fixture.c tests/csv/fixture.h
tests_csv_libcsvfixture_la_CPPFLAGS = $(unit_cppflags)
csv_test_ldadd = tests/csv/libcsvfixture.la libosiris-csv.la libosiris-core.la $(JSON_C_LIBS) $(CHECK_LIBS) -lm

csv_tests = tests/unit/test-csv-dialect tests/unit/test-csv-files tests/unit/test-csv-values tests/unit/test-csv-writer
check_PROGRAMS += $(csv_tests)
TESTS += $(csv_tests)
tests_unit_test_csv_dialect_SOURCES = tests/unit/test-csv-dialect.c
tests_unit_test_csv_dialect_CPPFLAGS = $(unit_cppflags)
tests_unit_test_csv_dialect_LDADD = $(csv_test_ldadd)
tests_unit_test_csv_files_SOURCES = tests/unit/test-csv-files.c
tests_unit_test_csv_files_CPPFLAGS = $(unit_cppflags) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS)
tests_unit_test_csv_files_LDADD = $(csv_test_ldadd) $(ZLIB_LIBS) $(ZSTD_LIBS)
tests_unit_test_csv_values_SOURCES = tests/unit/test-csv-values.c
tests_unit_test_csv_values_CPPFLAGS = $(unit_cppflags)
tests_unit_test_csv_values_LDADD = $(csv_test_ldadd)
tests_unit_test_csv_writer_SOURCES = tests/unit/test-csv-writer.c
tests_unit_test_csv_writer_CPPFLAGS = $(unit_cppflags)
tests_unit_test_csv_writer_LDADD = $(csv_test_ldadd)

check_PROGRAMS += tests/csv/dump
tests_csv_dump_SOURCES = tests/csv/dump.c
tests_csv_dump_CPPFLAGS = $(unit_cppflags)
tests_csv_dump_LDADD = $(csv_test_ldadd)
if HAVE_PYTHON3
TESTS += tests/csv/differential.py tests/csv/options.py tests/csv/read_back.py
endif
endif
EXTRA_DIST += tests/csv/differential.py tests/csv/options.py tests/csv/read_back.py tests/csv/table.py
