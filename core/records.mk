libosiris_core_la_SOURCES += $(NULL)
