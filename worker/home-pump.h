/* The thread that carries the contents of files between drivers' pipes and the channel. Private to home.h's files. */
#ifndef OSIRIS_WORKER_HOME_PUMP_H
#define OSIRIS_WORKER_HOME_PUMP_H

/* The thread; `home` is a struct home. */
void *home_pump_run(void *home);

#endif
