/*
 * A number that stands for all values of an array, however it is laid out: slices, offsets, paddings and what lies
 * under nulls do not count. To get it every value is read, so that a sanitizer sees an array that points nowhere.
 */
#ifndef OSIRIS_TESTS_ARROW_DIGEST_H
#define OSIRIS_TESTS_ARROW_DIGEST_H

#include <osiris/arrow.h>
#include <stdint.h>

uint64_t arrow_digest(const struct ArrowSchema *schema, const struct ArrowArray *array);
/* The same of the first `most` values: nulls take no memory, so there may be any number of them. */
uint64_t arrow_digest_some(const struct ArrowSchema *schema, const struct ArrowArray *array,
                           uint64_t most);

#endif
