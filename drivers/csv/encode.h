/*
 * The file's encoding. Texts are UTF-8 until they leave the buffer; there they are turned into the
 * file's encoding, which cannot fail: what does not fit has been refused where it was met, with its
 * row and column.
 */
#ifndef OSIRIS_CSV_ENCODE_H
#define OSIRIS_CSV_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum csv_encoding {
    CSV_UTF8,
    CSV_UTF8_SIG, /* with a byte order mark */
    CSV_UTF16,    /* little endian, with a byte order mark */
    CSV_UTF16LE,
    CSV_UTF16BE,
    CSV_ASCII,
    CSV_LATIN1, /* ISO 8859-1: the first 256 code points */
};

/* Whether texts are looked at, and changed: UTF-8 is written as it comes. */
static inline bool csv_encoding_converts(enum csv_encoding encoding)
{
    return encoding != CSV_UTF8 && encoding != CSV_UTF8_SIG;
}

/* What the file begins with; *size may be 0. */
const char *csv_encoding_mark(enum csv_encoding encoding, size_t *size);

enum csv_fit {
    CSV_FITS,
    CSV_INVALID,      /* not UTF-8: *at is the offending byte's place */
    CSV_NO_CHARACTER, /* *code_point is not in the encoding */
};

/* Whether text can be encoded. */
enum csv_fit csv_encoding_check(enum csv_encoding encoding, const char *data, size_t size,
                                size_t *at, uint32_t *code_point);

/* Text comes in pieces that may end within a character: what is left of it waits here. */
struct csv_encoder {
    enum csv_encoding encoding;
    unsigned char pending[4];
    size_t pending_size;
};

/* `to` has room for twice the size, and eight. Returns how much was written. The text has been
 * checked. */
size_t csv_encode(struct csv_encoder *encoder, const char *data, size_t size, char *to);

#endif
