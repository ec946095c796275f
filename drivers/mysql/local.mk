# The mysql drivers.
driver_LTLIBRARIES += mysql.la
mysql_la_CPPFLAGS = $(AM_CPPFLAGS) $(MYSQL_CFLAGS) -DLIBMARIADB_PLUGIN_FOLDER='"$(MYSQL_PLUGIN_DIR)"'
mysql_la_LDFLAGS = $(plugin_ldflags)
mysql_la_LIBADD = libosiris-kit-pic.la $(MYSQL_LIBS)
mysql_la_SOURCES = \
	drivers/mysql/certificate.c \
	drivers/mysql/check.c \
	drivers/mysql/clock.h \
	drivers/mysql/columns.c \
	drivers/mysql/connect.c \
	drivers/mysql/discover.c \
	drivers/mysql/errors.c \
	drivers/mysql/extractor.c \
	drivers/mysql/init-sql.c \
	drivers/mysql/key.c \
	drivers/mysql/key.h \
	drivers/mysql/lengthen.c \
	drivers/mysql/literal.c \
	drivers/mysql/merge.c \
	drivers/mysql/merge.h \
	drivers/mysql/mysql-driver.h \
	drivers/mysql/narrow.c \
	drivers/mysql/narrow.h \
	drivers/mysql/partition.c \
	drivers/mysql/partition.h \
	drivers/mysql/plugin.c \
	drivers/mysql/reader.c \
	drivers/mysql/reader.h \
	drivers/mysql/reports.c \
	drivers/mysql/reports.h \
	drivers/mysql/resume.c \
	drivers/mysql/resume.h \
	drivers/mysql/segments.c \
	drivers/mysql/segments.h \
	drivers/mysql/session.c \
	drivers/mysql/snapshot.c \
	drivers/mysql/snapshot.h \
	drivers/mysql/spec.c \
	drivers/mysql/sql.c \
	drivers/mysql/sql.h \
	drivers/mysql/statement.c \
	drivers/mysql/target.c \
	drivers/mysql/tls.c \
	drivers/mysql/values.c \
	drivers/mysql/values.h \
	drivers/mysql/verbs.c \
	drivers/mysql/verbs.h \
	drivers/mysql/warnings.c \
	drivers/mysql/warnings.h
