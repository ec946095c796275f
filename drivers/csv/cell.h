/*
 * Values as fields of the file.
 */
#ifndef OSIRIS_CSV_CELL_H
#define OSIRIS_CSV_CELL_H

#include <string.h>

#include "field.h"

/* Chooses `cell` for a column, by its kind and the options. */
void csv_cell_choose(struct csv_field *field);

/* Writes text of any length as a field, quoted if necessary. NULL, reported, if it cannot be
 * written. */
char *csv_cell_text(struct csv_field *field, const char *data, size_t size, char *at);

/* True if values of this fixed-width or binary type may contain a special character, or equal the text for
 * NULL. */
bool csv_cell_special_occurs(const struct csv_field *field);

/* Writes a single empty field in quotes, because readers skip an empty line. NULL, reported: quoting is none. */
char *csv_cell_lone_empty(const struct csv_field *field, char *at);

/* The text for NULL, for which every field has room. */
static inline char *csv_cell_null(const struct csv_field *field, char *at)
{
    const struct csv_word *word = &field->context->options->null_text;
    if (word->size > 0)
        memcpy(at, word->data, word->size);
    return at + word->size;
}

#endif
