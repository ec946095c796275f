/* Events for the session's loop. Private to this folder. */
#ifndef OSIRIS_ORCHESTRATOR_FILES_FILE_EVENTS_H
#define OSIRIS_ORCHESTRATOR_FILES_FILE_EVENTS_H

#include "orchestrator/files/file-state.h"

/* [thread] `event` is moved. `closed` is freed when it is taken. */
void file_events_add(struct files *files, struct file_event *event, struct file *closed);
/* [thread] About a file: bytes, or an error, which is moved (NULL: none). */
void file_events_tell(struct file *file, enum file_event_kind kind, int64_t bytes, struct osiris_error *error);
/* Frees a file that is not open. */
void file_free(struct file *file);

#endif
