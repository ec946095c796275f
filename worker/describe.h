/*
 * `osiris-worker --describe FILE…`: descriptions of plug-ins, as JSON on standard output. Each file is loaded in a child process of its
 * own, so one that crashes, exits or hangs causes only one error.
 */
#ifndef OSIRIS_WORKER_DESCRIBE_H
#define OSIRIS_WORKER_DESCRIBE_H

/* Prints [{file, abi_version, plugin, version, drivers, adapters} | {file, error}]; the exit status. */
int worker_describe(int count, char **files);

#endif
