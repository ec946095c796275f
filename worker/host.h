/*
 * The host table of a step (include/osiris/host.h): what its driver may request and report.
 */
#ifndef OSIRIS_WORKER_HOST_H
#define OSIRIS_WORKER_HOST_H

struct step;

/* [main thread] Fills the table of the attempt's hosting. */
void host_init(struct step *step);

#endif
