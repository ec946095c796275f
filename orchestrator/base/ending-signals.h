/* Which signals ask osiris to end: it cancels then, and tears down what it has made. */
#ifndef OSIRIS_ORCHESTRATOR_BASE_ENDING_SIGNALS_H
#define OSIRIS_ORCHESTRATOR_BASE_ENDING_SIGNALS_H

#include <signal.h>

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored (nohup): one that is blocked would come all the same. */
void ending_signals(sigset_t *signals);

#endif
