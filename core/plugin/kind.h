/* Kinds of drivers by their names: "extractor", "processor", "writer". */
#ifndef OSIRIS_CORE_PLUGIN_KIND_H
#define OSIRIS_CORE_PLUGIN_KIND_H

/* "unknown" of another number. */
const char *kind_name(int kind);
/* OSIRIS_EXTRACTOR, …; 0: it is none. */
int kind_from_name(const char *name);

#endif
