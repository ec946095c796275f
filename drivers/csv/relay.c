/*
 * The compressing thread; see relay.h.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relay.h"
#include "report.h"

struct csv_relay {
    struct csv_file *file;
    pthread_t thread;
    /* `lock` guards the rest. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *buffer; /* being written, or free; owned */
    size_t size;
    bool full, failed, stopped;
};

static void *run(void *argument)
{
    struct csv_relay *relay = argument;
    pthread_mutex_lock(&relay->lock);
    for (;;) {
        while (!relay->full && !relay->stopped)
            pthread_cond_wait(&relay->changed, &relay->lock);
        if (!relay->full)
            break;
        pthread_mutex_unlock(&relay->lock);
        int written = relay->failed ? -1 : csv_file_write(relay->file, relay->buffer, relay->size);
        pthread_mutex_lock(&relay->lock);
        relay->failed = written < 0;
        relay->full = false;
        pthread_cond_broadcast(&relay->changed);
    }
    pthread_mutex_unlock(&relay->lock);
    return NULL;
}

struct csv_relay *csv_relay_new(struct csv_file *file, char *spare)
{
    struct csv_relay *relay = calloc(1, sizeof *relay);
    int code = ENOMEM;
    if (relay != NULL) {
        *relay = (struct csv_relay){.file = file, .buffer = spare};
        pthread_mutex_init(&relay->lock, NULL);
        pthread_cond_init(&relay->changed, NULL);
        code = pthread_create(&relay->thread, NULL, run, relay);
        if (code == 0)
            return relay;
    }
    csv_fail(file->host, OSIRIS_ERROR_INTERNAL, code, NULL, "cannot start a thread: %s",
             strerror(code));
    free(relay);
    free(spare);
    return NULL;
}

void csv_relay_free(struct csv_relay *relay)
{
    if (relay == NULL)
        return;
    pthread_mutex_lock(&relay->lock);
    relay->stopped = true;
    pthread_cond_broadcast(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
    pthread_join(relay->thread, NULL);
    pthread_cond_destroy(&relay->changed);
    pthread_mutex_destroy(&relay->lock);
    free(relay->buffer);
    free(relay);
}

/* The thread's waits notice a cancel, which ends this wait as well. */
static void wait_until_free(struct csv_relay *relay)
{
    while (relay->full)
        pthread_cond_wait(&relay->changed, &relay->lock);
}

char *csv_relay_hand_over(struct csv_relay *relay, char *buffer, size_t size)
{
    pthread_mutex_lock(&relay->lock);
    wait_until_free(relay);
    char *other = relay->buffer;
    bool failed = relay->failed;
    relay->buffer = buffer;
    relay->size = size;
    relay->full = !failed;
    pthread_cond_broadcast(&relay->changed);
    pthread_mutex_unlock(&relay->lock);
    if (!failed)
        return other;
    free(other);
    return NULL;
}

int csv_relay_drain(struct csv_relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    wait_until_free(relay);
    bool failed = relay->failed;
    pthread_mutex_unlock(&relay->lock);
    return failed ? -1 : 0;
}
