/*
 * Text of any length with its quotes and escapes. Between the quotes, every quote and
 * every escape character is preceded by the escape character; without one, by the quote itself
 * (RFC 4180).
 *
 * Both return the end, after which the reserve is free (sink.h), or NULL, reported.
 */
#ifndef OSIRIS_CSV_QUOTE_H
#define OSIRIS_CSV_QUOTE_H

#include "field.h"

/* With enclosing quotes. */
char *csv_put_quoted(struct csv_context *context, const char *data, size_t size, char *at);

/* Without quotes: the escape character precedes everything special, including delimiters and line breaks.
 */
char *csv_put_escaped(struct csv_context *context, const char *data, size_t size, char *at);

#endif
