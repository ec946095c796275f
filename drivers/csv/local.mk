# csv.writer. The convenience library is what the module, the tests and the bench share.
noinst_LTLIBRARIES += libosiris-csv.la
libosiris_csv_la_CPPFLAGS = $(AM_CPPFLAGS) $(ZLIB_CFLAGS) $(ZSTD_CFLAGS)
libosiris_csv_la_LIBADD = libosiris-kit-pic.la $(ZLIB_LIBS) $(ZSTD_LIBS)
libosiris_csv_la_SOURCES = \
	drivers/csv/binary.c drivers/csv/binary.h \
	drivers/csv/calendar.h \
	drivers/csv/cell.c drivers/csv/cell.h \
	drivers/csv/columns.c drivers/csv/columns.h \
	drivers/csv/compress.c drivers/csv/compress.h \
	drivers/csv/csv.c \
	drivers/csv/digits.h \
	drivers/csv/encode.c drivers/csv/encode.h \
	drivers/csv/existing.c drivers/csv/existing.h \
	drivers/csv/field.c drivers/csv/field.h \
	drivers/csv/file.c drivers/csv/file.h \
	drivers/csv/format.c drivers/csv/format.h \
	drivers/csv/json.c \
	drivers/csv/moment.c drivers/csv/moment.h \
	drivers/csv/name.c drivers/csv/name.h \
	drivers/csv/options.c drivers/csv/options.h \
	drivers/csv/parts.c drivers/csv/parts.h \
	drivers/csv/powers.h \
	drivers/csv/put.c \
	drivers/csv/quote.c drivers/csv/quote.h \
	drivers/csv/relay.c drivers/csv/relay.h \
	drivers/csv/report.c drivers/csv/report.h \
	drivers/csv/scan.h \
	drivers/csv/shortest.c drivers/csv/shortest.h \
	drivers/csv/sink.c drivers/csv/sink.h \
	drivers/csv/spec.c drivers/csv/spec.h \
	drivers/csv/table.c drivers/csv/table.h \
	$(NULL)

dist_doc_DATA += docs/csv-writer.md

driver_LTLIBRARIES += csv.la
csv_la_SOURCES =
csv_la_LIBADD = libosiris-csv.la
csv_la_LDFLAGS = $(plugin_ldflags)
