/*
 * Plays osiris's side of a trace (core/trace.h) to a fresh worker on this machine, and compares what that answers with what
 * the trace has.
 *
 * Requests are sent in their order, each when all answers have come that had come before it in the trace. The steps run as
 * they did: what they write is written again. Their temporary files and artifacts go into a folder that is removed.
 *
 * What a trace does not keep has to be given anew: secrets (replay_options) and passed environment (ours). Data of streams between
 * places it has not either: a trace with such streams cannot be replayed.
 *
 * One thread.
 */
#ifndef OSIRIS_CORE_REPLAY_H
#define OSIRIS_CORE_REPLAY_H

#include <json-c/json.h>
#include <stdbool.h>

#include "core/error.h"
#include "core/redact.h"
#include "core/trace.h"

/* What a trace needs that it does not keep. */
struct replay_needs {
    bool secrets; /* connections, secrets, or a masked value in a config */
    char *place;  /* the only one, or what was asked for; free it */
};

struct replay_options {
    struct trace_reader *trace;
    const char *place; /* whose frames: replay_needs.place */
    const char *worker_path;
    const char *adapter_path, *adapter_dir; /* of the adapter `local` */
    const char *version;
    /* Of the pipeline, compiled again; each NULL if nothing of it is needed. */
    json_object *plan, *configs, *connections, *secrets;
    struct redactor *redactor;
    /* One answer was compared: `differences` is an array of {path, expected, got}, empty if there are none. */
    void (*compared)(void *context, const char *id, const char *method, const char *step_id,
                     json_object *differences);
    void (*log)(void *context, const char *text); /* what the worker says on stderr; redacted */
    void *context;
};

/* Reads the trace once: can it be replayed, and what for? -1: it cannot (the error says why). Rewinds it. */
int replay_check(struct trace_reader *trace, const char *place, struct replay_needs *needs,
                 struct osiris_error *error);

/* 0: all has been asked and answered, the same or not. -1: it could not go on. */
int replay_run(const struct replay_options *options, struct osiris_error *error);

#endif
