/* The state of files at home. Private to home.c, home-messages.c and home-pump.c. */
#ifndef OSIRIS_WORKER_HOME_STATE_H
#define OSIRIS_WORKER_HOME_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/wire/pace.h"
#include "core/wire/window.h"
#include "worker/home.h"

#define HOME_QUESTIONS 200 /* not answered yet; osiris accepts 256 */

/* Bytes of an input that have arrived. */
struct home_bytes {
    void *body;
    size_t length, done;
    struct home_bytes *next;
};

enum home_finish { FINISH_NONE, FINISH_WANTED, FINISH_SENT };

/* Under the home's lock, but for what is constant. It is in the list until the pump frees it. */
struct home_file {
    struct home *home;
    struct step *step;
    int64_t number;
    bool is_input;
    bool is_artifacts; /* they come home from a step that was cancelled, too */
    char *path;
    int64_t initial_size;
    int driver_end; /* an output's, or -1 */
    int pump_end;   /* the pump's, or -1 */
    bool opened;    /* home has opened it */
    bool asks;      /* home owes an answer */
    bool over;      /* nothing is carried any more */
    bool released;  /* the step does not use it any more */
    struct osiris_error error; /* it has failed at home */
    int64_t size;
    struct step_signs *waits; /* the driver waits because of us; or NULL */
    /* Of an output. */
    int64_t credit;
    struct pace pace;
    int64_t sent; /* since it has waited */
    bool rests;   /* little is in the pipe: a moment later there may be more */
    enum home_finish finish;
    enum home_end end;
    /* Of an input. */
    struct home_bytes *first, *last;
    struct window window;
    bool ended;
    struct home_file *next;
};

struct home {
    struct channel *channel;
    struct pace pace; /* of a new file */
    int wake_fd;
    pthread_t pump;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool stops;
    bool is_cut; /* osiris is gone: nobody waits any more */
    struct home_file *first;
    struct home_file **files; /* by number; NULL: it was freed */
    int64_t last_number;
    size_t capacity;
    size_t questions;
    struct window_budget budget;
    void *body; /* the main thread's: of the message that is arriving */
};

/* {type, data}; `data` is taken. */
json_object *home_message(const char *type, json_object *data);
/* Sends a message about the file, which the peer waits for; `data` is taken. The lock may be held. */
void home_send(struct home *home, const char *type, json_object *data);
/* The data of a message about the file. */
json_object *home_data(const struct home_file *file);
void home_wake_pump(struct home *home);
/* With the lock held: whether somebody waits in vain. */
bool home_is_cancelled(const struct home_file *file);

#endif
