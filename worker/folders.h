/*
 * The folders of a step that its driver may ask for: for artifacts, which are kept, and for temporary files, which are not.
 * `lock` guards their paths, which any thread of the driver may ask for.
 */
#ifndef OSIRIS_WORKER_FOLDERS_H
#define OSIRIS_WORKER_FOLDERS_H

#include <osiris/host.h>
#include <pthread.h>

struct step;

struct step_folders {
    pthread_mutex_t lock;
    char *artifacts, *temp; /* NULL: not asked for yet */
};

/* [any thread] The host table's functions. */
const char *folders_artifacts_dir(const struct osiris_host *host);
const char *folders_temp_dir(const struct osiris_host *host);
/* [step's thread] The driver is closed: removes the temporary folder and, with a warning, artifacts that cannot be collected. Sends the
 * others home, if the pipeline's files are there. */
void folders_end(struct step *step);
/* [main thread] Before the first attempt, notes the existing artifacts. Before other attempts, removes those that were added since. */
void folders_renew(struct step *step);

#endif
