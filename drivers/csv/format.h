/*
 * The texts of columns that have a format of their own: true_text and false_text, float_format,
 * date_format, time_format, timestamp_format. Members of nested values keep the usual texts.
 */
#ifndef OSIRIS_CSV_FORMAT_H
#define OSIRIS_CSV_FORMAT_H

#include "field.h"

/* Replaces `put` and `width` of a fixed-width column for whose type the options have a format. True
 * if they do: its texts may then have any character. */
bool csv_format_choose(struct csv_field *field);

#endif
