/* Publishing the outputs of a group together, on the thread of the files. Private to this folder. */
#ifndef OSIRIS_ORCHESTRATOR_FILES_FILE_GROUPS_H
#define OSIRIS_ORCHESTRATOR_FILES_FILE_GROUPS_H

#include "orchestrator/files/file-state.h"

/* Publish, or retract, the files of `work` and tell. */
void file_groups_publish(struct files *files, const struct work *work);
void file_groups_retract(struct files *files, const struct work *work);

#endif
