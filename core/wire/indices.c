/*
 * Indices of dictionaries from the wire; see batch.h. A driver looks them up without a check, so none that counts
 * may be outside its dictionary. The index of a null may be anything.
 */
#include "core/arrow/layout.h"
#include "core/wire/batch.h"

/* Without a branch in the loop, so that it is vectorised: if any is out of range, they are searched one by one. */
#define ALL_WITHIN(type)                                                                           \
    static bool all_within_##type(const type *indices, int64_t count, uint64_t bound)              \
    {                                                                                              \
        bool beyond = false;                                                                       \
                                                                                                   \
        for (int64_t i = 0; i < count; i++)                                                        \
            beyond |= (uint64_t)indices[i] >= bound;                                               \
        return !beyond;                                                                            \
    }

ALL_WITHIN(int8_t)
ALL_WITHIN(uint8_t)
ALL_WITHIN(int16_t)
ALL_WITHIN(uint16_t)
ALL_WITHIN(int32_t)
ALL_WITHIN(uint32_t)
ALL_WITHIN(uint64_t)

/* A negative index, converted to unsigned, is beyond every bound. */
static bool all_within(char format, const void *values, int64_t first, int64_t count,
                       uint64_t bound)
{
    switch (format) {
    case 'c':
        return all_within_int8_t((const int8_t *)values + first, count, bound);
    case 'C':
        return all_within_uint8_t((const uint8_t *)values + first, count, bound);
    case 's':
        return all_within_int16_t((const int16_t *)values + first, count, bound);
    case 'S':
        return all_within_uint16_t((const uint16_t *)values + first, count, bound);
    case 'i':
        return all_within_int32_t((const int32_t *)values + first, count, bound);
    case 'I':
        return all_within_uint32_t((const uint32_t *)values + first, count, bound);
    default:
        return all_within_uint64_t((const uint64_t *)values + first, count, bound);
    }
}

bool wire_indices_fit(const struct ArrowSchema *schema, const struct ArrowArray *array)
{
    const uint8_t *validity = array->null_count == 0 ? NULL : array->buffers[0];
    const void *values = array->buffers[1];
    uint64_t bound = (uint64_t)array->dictionary->length;
    char format = schema->format[0];

    if (all_within(format, values, array->offset, array->length, bound))
        return true;
    if (validity == NULL)
        return false;
    for (int64_t i = array->offset; i < array->offset + array->length; i++)
        if ((validity[i / 8] >> i % 8 & 1) && !all_within(format, values, i, 1, bound))
            return false;
    return true;
}
