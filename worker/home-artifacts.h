/* Sending a step's artifacts home. */
#ifndef OSIRIS_WORKER_HOME_ARTIFACTS_H
#define OSIRIS_WORKER_HOME_ARTIFACTS_H

struct step;

/* [step's thread] The driver is closed, and the folder was swept: sends what it has left there, and removes it. What does not arrive
 * stays, and is reported by osiris. */
void home_send_artifacts(struct step *step, const char *folder);

#endif
