/*
 * `osiris-worker --validate`: lets drivers validate configs before they are run (`validate` of driver.h). The drivers of each file are
 * called in a child process of their own.
 */
#ifndef OSIRIS_WORKER_VALIDATE_H
#define OSIRIS_WORKER_VALIDATE_H

/* Standard input has [{file, driver, step_id, component, config, connection}]; prints a list of errors (error.h) for each,
 * in the same order. The exit status. */
int worker_validate(void);

#endif
