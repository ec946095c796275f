/*
 * Text of any length with its quotes and escapes. What stands between the quotes: every quote and
 * every escape character has the escape character before it; without one, that is the quote itself
 * (RFC 4180).
 *
 * Both return the end, at which the reserve is left (sink.h), or NULL, reported.
 */
#ifndef OSIRIS_CSV_QUOTE_H
#define OSIRIS_CSV_QUOTE_H

#include "field.h"

/* With quotes around it. */
char *csv_put_quoted(struct csv_context *context, const char *data, size_t size, char *at);

/* Without: the escape character stands before whatever is special, delimiters and line breaks, too.
 */
char *csv_put_escaped(struct csv_context *context, const char *data, size_t size, char *at);

#endif
