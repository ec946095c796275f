/* Messages about files at home (docs/protocol.md, "Files at home"), on the main thread. */
#ifndef OSIRIS_WORKER_HOME_MESSAGES_H
#define OSIRIS_WORKER_HOME_MESSAGES_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/base/error.h"

struct home;

/* Whether the message is about a file. */
bool home_is_about_file(json_object *message);
/* Where the body of such a message goes. `home` may be NULL: then it is a violation. NULL with the error set. */
void *home_find_room(struct home *home, json_object *message, size_t length, struct osiris_error *error);
/* -1: it violates the protocol. */
int home_take_message(struct home *home, json_object *message, size_t body_length, struct osiris_error *error);

#endif
