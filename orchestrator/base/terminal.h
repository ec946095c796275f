/*
 * What reaches a terminal. Names of tables, paths, texts of servers and drivers may hold characters that a terminal obeys, or that
 * change the order in which a line is read: control characters (C0, DEL, C1), bidirectional controls (U+061C, U+200E, U+200F,
 * U+202A to U+202E, U+2066 to U+2069), and bytes that are no UTF-8. Everything that is printed for people goes through here, and
 * shows each of them as "?". What is printed as JSON does not: it is read by programs.
 */
#ifndef OSIRIS_ORCHESTRATOR_BASE_TERMINAL_H
#define OSIRIS_ORCHESTRATOR_BASE_TERMINAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* The bytes of the character at `at`, which is not the end; 1 of what is none. *harmless: it may be shown as it is. */
size_t terminal_character(const char *at, const char *end, bool *harmless);

/* As printf, but of each text (%s) what is harmful is "?", and line breaks and tabs are blanks: only the format breaks lines.
 * Flags, widths and precisions as in printf, of conversions d, u, f, c, s with lengths l, ll and z. Returns the bytes printed. */
int terminal_print(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same as a text (free it); NULL: no memory. */
char *terminal_format(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* A text of several lines, each but the first one indented, so that none looks like a message of its own (free it). NULL: no memory. */
char *terminal_lines(const char *text);

#endif
