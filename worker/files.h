/*
 * The files of a step: what a driver's open_input, open_output and finish_output do, and how its outputs become complete. They are files
 * of this machine, or in a place that does not have the pipeline's files all of them files at home (worker/home.h).
 * Any thread of the driver may open one; `lock` guards the list.
 */
#ifndef OSIRIS_WORKER_FILES_H
#define OSIRIS_WORKER_FILES_H

#include <json-c/json.h>
#include <osiris/host.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/base/fingerprint.h"
#include "core/output/output.h"

struct step;

struct step_output_file {
    struct output *output;  /* NULL: `home` is it */
    struct home_file *home; /* of a file at home (worker/home.h) */
    char identity[FINGERPRINT_SIZE]; /* the same for every path to the file; "": it is not a file */
    bool claimed; /* for this step (core/output/claims.h) */
    struct step_output_file *next;
};

struct step_files {
    pthread_mutex_t lock;
    struct step_output_file *first; /* in the order in which they were opened */
    bool complete; /* no more may be opened */
    int shelf; /* of those that are finished early (output.h), or -1 */
};

/* [any thread] The host table's functions. */
int files_open_input(const struct osiris_host *host, const char *path, int *fd);
int files_open_output(const struct osiris_host *host, const char *path, const struct osiris_output_options *options, int *fd);
int files_finish_output(const struct osiris_host *host, int fd);
/* [any thread] The driver has requested the next batch, so it has written the last one to its files. */
void files_write_back(struct step *step);
/* [step's thread] Everything is written. For all kinds of steps. */
int files_finish_all(struct step *step, struct osiris_error *error);
/* [step's thread] The driver has committed, and opens no more. What is left to publish is a rename each. */
int files_make_ready(struct step *step, struct osiris_error *error);
/* [step's thread] Publishes all outputs, but for those at home, which osiris publishes. On failure the error names the one that could not be published, and the others must be
 * retracted. */
int files_publish(struct step *step, struct osiris_error *error);
/* [step's thread] Retracts published outputs. What cannot be undone is noted in the decision. */
void files_retract(struct step *step);
/* [step's thread] How many bytes they have; -1: there are no files. */
int64_t files_size(const struct step *step);
/* [step's thread] Closes all outputs, the last one first: the first may have made the folder. */
void files_close_all(struct step *step);

#endif
