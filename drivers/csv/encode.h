/*
 * The file's encoding. Texts are UTF-8 until they leave the buffer, where they are converted to the
 * file's encoding. That cannot fail: what does not fit was refused where it was found, with its
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

/* Whether texts are checked and converted; UTF-8 is written as it arrives. */
static inline bool csv_encoding_converts(enum csv_encoding encoding)
{
    return encoding != CSV_UTF8 && encoding != CSV_UTF8_SIG;
}

/* The byte order mark at the start of the file; *size may be 0. */
const char *csv_encoding_mark(enum csv_encoding encoding, size_t *size);

enum csv_fit {
    CSV_FITS,
    CSV_INVALID,      /* not UTF-8: *at is the position of the offending byte */
    CSV_NO_CHARACTER, /* *code_point is not in the encoding */
};

/* Whether text can be encoded. */
enum csv_fit csv_encoding_check(enum csv_encoding encoding, const char *data, size_t size,
                                size_t *at, uint32_t *code_point);

/* Text arrives in pieces that may end within a character; the incomplete character is kept here. */
struct csv_encoder {
    enum csv_encoding encoding;
    unsigned char pending[4];
    size_t pending_size;
};

/* `to` has room for twice the size plus eight. Returns the number of bytes written. The text has been
 * checked. */
size_t csv_encode(struct csv_encoder *encoder, const char *data, size_t size, char *to);

#endif
