/* Events for the session's loop; see file-events.h. */
#include "orchestrator/files/file-events.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include "core/wire/body.h"

void file_events_add(struct files *files, struct file_event *event, struct file *closed)
{
    struct event_entry *entry = calloc(1, sizeof *entry);

    entry->event = *event;
    entry->closed = closed;
    pthread_mutex_lock(&files->lock);
    if (files->last_event == NULL)
        files->first_event = entry;
    else
        files->last_event->next = entry;
    files->last_event = entry;
    pthread_mutex_unlock(&files->lock);
    (void)eventfd_write(files->event_fd, 1);
}

void file_events_tell(struct file *file, enum file_event_kind kind, int64_t bytes, struct osiris_error *error)
{
    struct file_event event = {.kind = kind, .owner = file->owner, .bytes = bytes};

    if (error != NULL)
        osiris_error_move(&event.error, error);
    file_events_add(file->files, &event, kind == FILE_CLOSED ? file : NULL);
}

void file_free(struct file *file)
{
    osiris_error_clear(&file->error);
    free(file->step_id);
    free(file->path);
    free(file);
}

bool files_take(struct files *files, struct file_event *event)
{
    eventfd_t count;

    pthread_mutex_lock(&files->lock);
    struct event_entry *entry = files->first_event;
    if (entry == NULL) {
        /* Under the lock: an event that is added from now on is announced. */
        (void)eventfd_read(files->event_fd, &count);
    } else {
        files->first_event = entry->next;
        if (entry->next == NULL)
            files->last_event = NULL;
    }
    pthread_mutex_unlock(&files->lock);
    if (entry == NULL)
        return false;
    *event = entry->event;
    if (entry->closed != NULL)
        file_free(entry->closed);
    free(entry);
    return true;
}

void file_event_clear(struct file_event *event)
{
    body_free(event->read.body);
    osiris_error_clear(&event->error);
    json_object_put(event->published);
    *event = (struct file_event){0};
}
