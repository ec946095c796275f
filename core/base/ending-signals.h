/* The signals that cancel osiris, which then tears down what it has created. */
#ifndef OSIRIS_CORE_BASE_ENDING_SIGNALS_H
#define OSIRIS_CORE_BASE_ENDING_SIGNALS_H

#include <signal.h>

/* SIGINT, SIGTERM, and SIGHUP unless it is ignored (nohup), because a blocked one would be delivered nevertheless. */
void ending_signals(sigset_t *signals);

#endif
