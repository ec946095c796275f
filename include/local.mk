osirisincludedir = $(includedir)/osiris
osirisinclude_HEADERS = \
	include/osiris/adapter.h \
	include/osiris/arrow.h \
	include/osiris/driver.h \
	include/osiris/host.h \
	include/osiris/plugin.h \
	$(NULL)
