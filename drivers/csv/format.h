/*
 * Columns with a format of their own: true_text and false_text, float_format,
 * date_format, time_format, timestamp_format. Members of nested values keep the default texts.
 */
#ifndef OSIRIS_CSV_FORMAT_H
#define OSIRIS_CSV_FORMAT_H

#include "field.h"

/* Replaces `put` and `width` of a fixed-width column if the options have a format for its type. True
 * if they do: its texts may then contain any character. */
bool csv_format_choose(struct csv_field *field);

#endif
