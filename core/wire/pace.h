/*
 * What a sender learns about its link while it waits for credit, and which codec is worth it: compressing pays where a core compresses
 * faster than the link transfers.
 */
#ifndef OSIRIS_CORE_WIRE_PACE_H
#define OSIRIS_CORE_WIRE_PACE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct pace {
    bool may_lz4, may_zstd; /* by this build and by the peer */
    int64_t waits_since_ns; /* 0: it does not wait */
    double waited_s, waited_bytes;
};

/* `codecs`: the names that the peer can read (NULL: none). */
void pace_init(struct pace *pace, json_object *codecs);
/* Something could be sent, and there is, or is no, credit for it. */
void pace_wait(struct pace *pace, int64_t now_ns);
void pace_go_on(struct pace *pace, int64_t now_ns);
/* Credit has arrived. */
void pace_credit(struct pace *pace, int64_t bytes);
/* NULL: none. */
const char *pace_codec(const struct pace *pace);

#endif
