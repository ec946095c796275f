/* The pace of a link; see pace.h. */
#include "core/wire/pace.h"

#include <string.h>

#include "core/base/json-access.h"
#include "core/wire/batch.h"

/* Bytes a second. Measured while the sender did nothing but wait. */
#define SLOW_LINK 200e6 /* lz4 */
#define VERY_SLOW_LINK 50e6 /* zstd */
#define LEAST_WAIT_S 0.02

static bool is_allowed(json_object *codecs, const char *codec)
{
    for (size_t i = 0; i < json_array_count(codecs); i++) {
        json_object *name = json_object_array_get_idx(codecs, i);
        if (json_object_is_type(name, json_type_string) && strcmp(json_object_get_string(name), codec) == 0)
            return wire_has_codec(codec);
    }
    return false;
}

void pace_init(struct pace *pace, json_object *codecs)
{
    *pace = (struct pace){.may_lz4 = is_allowed(codecs, "lz4"), .may_zstd = is_allowed(codecs, "zstd")};
}

void pace_wait(struct pace *pace, int64_t now_ns)
{
    if (pace->waits_since_ns != 0)
        return;
    pace->waits_since_ns = now_ns;
    /* Older measurements count less, because a link changes. */
    pace->waited_bytes /= 2;
    pace->waited_s /= 2;
}

void pace_go_on(struct pace *pace, int64_t now_ns)
{
    if (pace->waits_since_ns != 0)
        pace->waited_s += (double)(now_ns - pace->waits_since_ns) / 1e9;
    else
        pace->waited_bytes = pace->waited_s = 0;
    pace->waits_since_ns = 0;
}

void pace_credit(struct pace *pace, int64_t bytes)
{
    pace->waited_bytes += (double)bytes;
}

const char *pace_codec(const struct pace *pace)
{
    double rate = pace->waited_s > LEAST_WAIT_S ? pace->waited_bytes / pace->waited_s : 1e12;

    if (pace->may_zstd && rate < VERY_SLOW_LINK)
        return "zstd";
    return pace->may_lz4 && rate < SLOW_LINK ? "lz4" : NULL;
}
