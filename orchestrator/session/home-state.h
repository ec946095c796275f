/* The state of files at home. Private to home.h's files. */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_HOME_STATE_H
#define OSIRIS_ORCHESTRATOR_SESSION_HOME_STATE_H

#include "core/wire/pace.h"
#include "core/wire/window.h"
#include "orchestrator/files/files.h"
#include "orchestrator/session/home.h"

/* A file that a worker has asked for, until its last event. */
struct session_file {
    struct session *session;
    struct worker_files *table; /* NULL: nothing is sent about it, and nothing that arrives counts */
    int64_t number;
    size_t step, group;
    bool is_input, is_artifacts;
    struct file *file;
    bool opens, finishes; /* the worker waits for the answer */
    bool is_open, failed;
    bool aside;  /* the worker writes no more */
    bool closes; /* only FILE_CLOSED is still to come */
    struct window window; /* an output's */
    int64_t credit;       /* an input's */
    int64_t withheld;     /* credit that is used when the worker's channel holds less */
    struct pace pace;
    int64_t sent; /* since it has waited */
    struct session_file *previous, *next;
};

/* By number: the files of a worker. NULL: closed. */
struct worker_files {
    struct session_worker *worker;
    struct session_file **list;
    int64_t count;
    size_t capacity, questions;
    struct window_budget budget; /* of outputs */
    int64_t granted;             /* the credit of all inputs */
    bool withholds;              /* that of some input */
};

/* Closes it; whoever waits for an answer gets one. */
void session_file_close(struct session_file *file);
/* Sends a message about the file, if its worker is still there; `data` is taken. `in_order`: after the contents. */
void session_file_send(const struct session_file *file, const char *type, json_object *data, bool in_order);
/* The data of a message with the error, if there is one. */
json_object *session_file_data(const struct osiris_error *error);
void session_file_send_credit(const struct session_file *file, int64_t bytes);

/* Events about groups; see home-groups.c. */
void session_note_home_published(struct session *session, struct session_group *group, struct file_event *event);
void session_note_home_retracted(struct session *session, struct session_group *group, const struct file_event *event);

#endif
