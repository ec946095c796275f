/*
 * `osiris-worker --validate`: what drivers say of configs that are to be run (`validate` of driver.h). The drivers of each file
 * are asked in a child of their own.
 */
#ifndef OSIRIS_WORKER_VALIDATE_H
#define OSIRIS_WORKER_VALIDATE_H

/* Standard input has [{file, driver, step_id, component, config, connection}]; prints a list of errors (error.h) for each,
 * in the same order. The exit status. */
int worker_validate(void);

#endif
