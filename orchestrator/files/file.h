/* One file: opening, reading, writing, finishing, closing, all on the thread of the files. Private to this folder. */
#ifndef OSIRIS_ORCHESTRATOR_FILES_FILE_H
#define OSIRIS_ORCHESTRATOR_FILES_FILE_H

#include "orchestrator/files/file-state.h"

/* Opens the file and tells. A file that cannot be opened remains, and is closed like others. */
void file_begin(struct file *file);
/* Whether something is to be done for it. */
bool file_has_work(const struct file *file);
/* The descriptor to wait for, and the events; -1: there is nothing to wait for. */
int file_waits_for(const struct file *file, short *events);
/* Does a part of what is to be done. It does not wait for others than disks if file_waits_for's descriptor is ready. */
void file_advance(struct file *file);
/* Closes it and tells. */
void file_end(struct file *file);

#endif
