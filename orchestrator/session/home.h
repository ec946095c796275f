/*
 * Files of this machine for workers in places that do not have them (docs/protocol.md, "Files at home"): the workers' messages about
 * files, and what becomes of the files of a group. The work is done by the thread of orchestrator/files; everything here is done by the loop.
 *
 * A group with outputs at home is always committed in two phases. In the first, its workers have their outputs finished and made ready.
 * When all have answered, the outputs at home are published, and then the second phase is requested: the workers of such places
 * only close their drivers. If anything fails meanwhile, what was published is taken back.
 */
#ifndef OSIRIS_ORCHESTRATOR_SESSION_HOME_H
#define OSIRIS_ORCHESTRATOR_SESSION_HOME_H

#include "orchestrator/session/state.h"

/* The worker's place does not have the files: they are served from now on. -1 with the error set. */
int worker_serve_files(struct session_worker *worker, struct osiris_error *error);
/* The worker is gone, or its place gets another one: nothing more of it counts. */
void worker_forget_files(struct session_worker *worker);
/* The codecs for contents of files between here and the worker: a new array, which may be empty. */
json_object *worker_file_codecs(const struct session_worker *worker);
/* Checks and handles a message about a file. False: it is not one. */
bool worker_take_file_message(struct session_worker *worker, const char *type, json_object *message, size_t body_length);

/* The descriptor to poll (-1: none), and what to call when it is readable. */
int session_files_fd(const struct session *session);
void session_take_file_events(struct session *session);

/* Reads on for workers that were too slow. Call it in every round of the loop. */
void session_read_on(struct session *session);
/* Gives up what takes too long. The second returns when to call the first next. */
void session_check_home(struct session *session, int64_t now);
int64_t session_next_home_deadline(const struct session *session);

/* Publishes the group's outputs at home. False: there is nothing to publish, or it is published. True: group->pending counts it. */
bool session_publish_home(struct session *session, size_t group);
/* Takes back what was published, in the same way. */
bool session_retract_home(struct session *session, size_t group);
/* The group is committed or aborted: its files are closed, and what was published is reported. */
void session_end_home(struct session *session, size_t group);
/* The end of the run: everything is closed. */
void session_free_home(struct session *session);

#endif
