# csv.writer. The convenience library is what the module, the tests and the bench share.
noinst_LTLIBRARIES += libosiris-csv.la
libosiris_csv_la_SOURCES = \
	drivers/csv/calendar.h \
	drivers/csv/cell.c drivers/csv/cell.h \
	drivers/csv/csv.c \
	drivers/csv/digits.h \
	drivers/csv/field.c drivers/csv/field.h \
	drivers/csv/json.c \
	drivers/csv/options.c drivers/csv/options.h \
	drivers/csv/powers.h \
	drivers/csv/put.c \
	drivers/csv/scan.h \
	drivers/csv/shortest.c drivers/csv/shortest.h \
	drivers/csv/sink.c drivers/csv/sink.h \
	drivers/csv/table.c drivers/csv/table.h \
	$(NULL)

dist_doc_DATA += docs/csv-writer.md

driver_LTLIBRARIES += csv.la
csv_la_SOURCES =
csv_la_LIBADD = libosiris-csv.la
csv_la_LDFLAGS = $(plugin_ldflags)
