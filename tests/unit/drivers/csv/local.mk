# Tests of drivers/csv/.
if HAVE_CHECK
check_LTLIBRARIES += tests/csv/libcsvfixture.la
tests_csv_libcsvfixture_la_SOURCES = tests/csv/fixture.c tests/csv/fixture.h
tests_csv_libcsvfixture_la_CPPFLAGS = $(unit_cppflags)
csv_test_ldadd = tests/csv/libcsvfixture.la libosiris-csv.la libosiris-core.la $(JSON_C_LIBS) $(CHECK_LIBS) -lm
tests_of_drivers_csv = \
	tests/unit/drivers/csv/test-dialect \
	tests/unit/drivers/csv/test-encodings \
	tests/unit/drivers/csv/test-files \
	tests/unit/drivers/csv/test-values \
	tests/unit/drivers/csv/test-writer \
	$(NULL)
if HAVE_ZLIB
if HAVE_ZSTD
tests_of_drivers_csv += tests/unit/drivers/csv/test-compression
endif
endif
check_PROGRAMS += $(tests_of_drivers_csv)
TESTS += $(tests_of_drivers_csv)
csv_texts = tests/unit/drivers/csv/texts.c tests/unit/drivers/csv/texts.h
tests_unit_drivers_csv_test_compression_SOURCES = tests/unit/drivers/csv/test-compression.c $(csv_texts)
tests_unit_drivers_csv_test_compression_CPPFLAGS = $(unit_cppflags) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS)
tests_unit_drivers_csv_test_compression_LDADD = $(csv_test_ldadd) $(ZLIB_LIBS) $(ZSTD_LIBS)
tests_unit_drivers_csv_test_dialect_SOURCES = tests/unit/drivers/csv/test-dialect.c
tests_unit_drivers_csv_test_dialect_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_csv_test_dialect_LDADD = $(csv_test_ldadd)
tests_unit_drivers_csv_test_encodings_SOURCES = tests/unit/drivers/csv/test-encodings.c $(csv_texts)
tests_unit_drivers_csv_test_encodings_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_csv_test_encodings_LDADD = $(csv_test_ldadd)
tests_unit_drivers_csv_test_files_SOURCES = tests/unit/drivers/csv/test-files.c $(csv_texts)
tests_unit_drivers_csv_test_files_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_csv_test_files_LDADD = $(csv_test_ldadd)
tests_unit_drivers_csv_test_values_SOURCES = tests/unit/drivers/csv/test-values.c
tests_unit_drivers_csv_test_values_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_csv_test_values_LDADD = $(csv_test_ldadd)
tests_unit_drivers_csv_test_writer_SOURCES = tests/unit/drivers/csv/test-writer.c
tests_unit_drivers_csv_test_writer_CPPFLAGS = $(unit_cppflags)
tests_unit_drivers_csv_test_writer_LDADD = $(csv_test_ldadd)
endif
