/* The options of `osiris run` and its environment, without those that compiling reads. */
#ifndef OSIRIS_CLI_RUN_OPTIONS_H
#define OSIRIS_CLI_RUN_OPTIONS_H

#include "cli/arguments.h"
#include "orchestrator/session/session.h"

struct run_options {
    const char *adapter; /* borrowed */
    struct session_limits limits;
    int64_t timeout_ms, retry_seed; /* 0: none */
    size_t max_steps;               /* 0: the default */
    json_object *environment;       /* {NAME: value} of --pass-env */
};

int run_options_read(struct run_options *options, const struct arguments *arguments,
                     struct osiris_error *error);
void run_options_clear(struct run_options *options);

#endif
