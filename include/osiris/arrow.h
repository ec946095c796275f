/*
 * The Arrow C data interface and C stream interface: the struct definitions that Apache Arrow
 * specifies. They are repeated here so that a driver needs no Arrow library.
 *
 * Source: https://arrow.apache.org/docs/format/CDataInterface.html and
 * https://arrow.apache.org/docs/format/CStreamInterface.html. The guards are the specification's
 * own, so this header can be included together with any other copy.
 *
 * Types: Osiris passes these from step to step, by their formats: n b c C s S i I l L e f g, d:…,
 * w:…, u U z Z, td… tt… ts… tD… ti…, +s +l +L +w:… +m, and dictionaries of them with integer
 * indices. These are not supported: text and binary views (vu, vz), list views (+vl, +vL),
 * run-end encoded (+r) and unions (+ud:…, +us:…). A stream with a column of such a type ends with
 * an error that names it.
 *
 * Slices: a batch is a struct array, and may be a slice. Its row i is element batch.offset +
 * column->offset + i of the column's buffers, and the same bit of the column's validity bitmap,
 * buffers[0] (NULL if nothing is null). A reader must therefore add both offsets, and both again
 * below a struct column.
 *
 * Names: columns are identified by their position. Several columns with the same name are passed
 * on unchanged, with a warning.
 *
 * Ownership: a struct is live while its `release` is not NULL. The owner of a live struct calls
 * `release` once, or moves the struct (memcpy, then sets the source's `release` to NULL). Release
 * callbacks must be safe on any thread: Osiris releases a batch on the thread of its last reader.
 */
#ifndef OSIRIS_ARROW_H
#define OSIRIS_ARROW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;   /* type, e.g. "l" int64, "u" utf8, "d:12,2" decimal128 */
    const char *name;     /* column name, UTF-8 */
    const char *metadata; /* binary key-value pairs, or NULL */
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count; /* -1: not counted */
    int64_t offset;     /* in elements */
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    /* Each returns 0 or an errno value. The error text is valid until the next call. */
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    /* At the end of the stream it returns 0 and leaves out->release NULL. */
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

#ifdef __cplusplus
}
#endif

#endif
