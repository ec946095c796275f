/*
 * `osiris-worker --describe FILE…`: what plug-ins are, as JSON on standard output. Each file is loaded in a
 * child of its own, so that one that crashes, exits or hangs causes one error and nothing else.
 */
#ifndef OSIRIS_WORKER_DESCRIBE_H
#define OSIRIS_WORKER_DESCRIBE_H

/* Prints [{file, abi_version, plugin, version, drivers, adapters} | {file, error}]; the exit status. */
int worker_describe(int count, char **files);

#endif
