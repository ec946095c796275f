/*
 * Whether a step's driver is open, so that `interrupt` never meets a closed one. `lock` guards it.
 */
#ifndef OSIRIS_WORKER_INTERRUPT_H
#define OSIRIS_WORKER_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>

struct step;

struct step_opening {
    pthread_mutex_t lock;
    bool driver_open;
};

/* [step's thread] The driver's open has succeeded. */
void interrupt_allow(struct step *step);
/* [step's thread] No interrupt is called from now on, nor is one under way. Whether the driver was open. */
bool interrupt_forbid(struct step *step);
/* [any thread] Has the driver's run return soon. */
void interrupt_call(struct step *step);

#endif
