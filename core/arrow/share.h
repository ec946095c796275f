/*
 * Several readers of one batch: reference-counted views of the same buffers, and copies of schemas.
 */
#ifndef OSIRIS_CORE_ARROW_SHARE_H
#define OSIRIS_CORE_ARROW_SHARE_H

#include <osiris/arrow.h>
#include <stddef.h>

/* Takes `array` and makes `count` (at least 1) views of it. Each is released on its own, on any thread; the last
 * releases the array. Children may be moved out of a view. -1: out of memory; the array is released. */
int arrow_share(struct ArrowArray *array, struct ArrowArray *views, size_t count);

/* A deep copy. -1: out of memory. */
int arrow_schema_copy(const struct ArrowSchema *schema, struct ArrowSchema *out);

/* The release of a schema each of whose parts is an allocation of its own: texts, metadata, children, the dictionary. */
void arrow_schema_release(struct ArrowSchema *schema);

/* The size of a schema's metadata in bytes. */
size_t arrow_metadata_length(const char *metadata);

#endif
