/*
 * Messages: msgpack ↔ JSON values. The decoder handles bytes from a peer that may be hostile: nothing is
 * allocated because of a length alone; every count is checked against the received bytes, nesting is
 * bounded, strings are UTF-8 without NUL bytes, keys are strings and differ.
 *
 * msgpack's integers become int (64 bits, signed or unsigned), its floats doubles (NaN and infinities are refused,
 * JSON has none). bin and ext are refused: bytes travel in frames' bodies.
 */
#ifndef OSIRIS_CORE_WIRE_MESSAGE_H
#define OSIRIS_CORE_WIRE_MESSAGE_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buffer.h"
#include "core/base/error.h"

#define MESSAGE_MAXIMUM_DEPTH 32
/* Of values, each counted as it weighs in memory, where an empty map takes 700 times its byte. */
#define MESSAGE_MAXIMUM_WEIGHT (1u << 20)
#define MESSAGE_MAP_WEIGHT 8
#define MESSAGE_ARRAY_WEIGHT 4
#define MESSAGE_KEY_WEIGHT 1 /* beside its value */

/* Decodes one map that fills the bytes exactly. NULL with the error set. The caller owns the result. */
json_object *message_decode(const uint8_t *bytes, size_t length, struct osiris_error *error);

/* Appends to `buffer`. */
int message_encode(json_object *message, struct buffer *buffer, struct osiris_error *error);

#endif
