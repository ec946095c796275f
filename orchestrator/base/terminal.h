/*
 * Output to terminals. Names of tables, paths, texts of servers and drivers may contain characters that a terminal acts
 * on, or that change the order in which a line is read: control characters (C0, DEL, C1), bidirectional controls
 * (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), and bytes that are not UTF-8. Everything that is
 * printed for people passes through here, which replaces each of them by "?". JSON does not, because programs read it.
 */
#ifndef OSIRIS_ORCHESTRATOR_BASE_TERMINAL_H
#define OSIRIS_ORCHESTRATOR_BASE_TERMINAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* The length of the character at `at`, which must not be the end; 1 if it is malformed. *harmless: it may be printed as it is. */
size_t terminal_character(const char *at, const char *end, bool *harmless);

/* Like printf, but in each text (%s) harmful characters become "?", and line breaks and tabs become blanks: only the
 * format breaks lines. Flags, widths and precisions as in printf, of conversions d, u, f, c, s with lengths l, ll and
 * z. Returns the bytes printed. */
int terminal_print(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same as a text (free it); NULL: out of memory. */
char *terminal_format(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* A text of several lines, each but the first indented, so that none looks like a separate message (free it). NULL: out
 * of memory. */
char *terminal_lines(const char *text);

#endif
