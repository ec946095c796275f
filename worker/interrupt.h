/*
 * Interrupting a step's driver. It is called on a thread of its own, so that a driver that hangs there delays only its own
 * step. `lock` guards whether the driver is open: interrupt never meets a closed one.
 */
#ifndef OSIRIS_WORKER_INTERRUPT_H
#define OSIRIS_WORKER_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>

#include "worker/signs.h"

struct step;

struct step_opening {
    struct step_signs signs; /* atomic: of the call of interrupt, if there is one */
    pthread_mutex_t lock;
    pthread_cond_t returned;
    bool driver_open;
    bool calling; /* a thread is in interrupt, or is about to be */
    bool again;   /* it was requested once more meanwhile */
};

/* [step's thread] The driver's open has succeeded. */
void interrupt_allow(struct step *step);
/* [step's thread] No interrupt is called from now on; waits for one that is under way. Whether the driver was open. */
bool interrupt_forbid(struct step *step);
/* [any thread] Makes the driver's run return soon. Does not wait. */
void interrupt_request(struct step *step);

#endif
