/* What the files of replay.h share. Private to them. */
#ifndef OSIRIS_CORE_REPLAY_INTERNAL_H
#define OSIRIS_CORE_REPLAY_INTERNAL_H

#include "core/replay.h"

/* [{path, expected, got}] of two answers, but for what differs in any two runs; NULL: no memory. */
json_object *replay_compare(json_object *expected, json_object *got);

#endif
