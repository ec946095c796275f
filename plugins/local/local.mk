# The local execution adapter.
adapter_LTLIBRARIES += local.la
local_la_SOURCES = plugins/local/local.c
local_la_LDFLAGS = $(plugin_ldflags)
