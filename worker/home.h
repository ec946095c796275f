/*
 * Files of a place that does not have those of the pipeline (docs/protocol.md, "Files at home"): osiris opens them at home, and their
 * contents go over the channel. A driver gets one end of a pipe. One thread of the run, the pump, carries bytes between the other
 * ends and the channel, as credit allows; the main thread takes messages (home-messages.h). One lock guards everything.
 *
 * What is on its way is bounded by windows (core/wire/window.h), whatever the number of files: beyond that, only the pipes hold
 * something. A driver that waits for a full pipe or an empty one is not silent, because its host makes it wait. When its
 * step is cancelled, its writes fail with EPIPE, and what it reads ends.
 */
#ifndef OSIRIS_WORKER_HOME_H
#define OSIRIS_WORKER_HOME_H

#include <json-c/json.h>
#include <osiris/host.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/wire/channel.h"

struct home;
struct home_file;
struct step;

/* `codecs`: what may be used towards home (borrowed; NULL: none). NULL with the error set. */
struct home *home_new(struct channel *channel, json_object *codecs, struct osiris_error *error);
/* No step may be using it any more. */
void home_free(struct home *home);

/* [any thread of the step's driver] NULL with the error set: home has refused it, or the step was cancelled. `options` may be NULL. */
struct home_file *home_open_output(struct home *home, struct step *step, const char *path,
                                   const struct osiris_output_options *options, struct osiris_error *error);
/* The same for an input; *fd is the driver's, who closes it. */
int home_open_input(struct home *home, struct step *step, const char *path, int *fd, struct osiris_error *error);

/* An output's descriptor; -1: it was set aside. */
int home_file_fd(const struct home_file *file);
const char *home_file_path(const struct home_file *file);
int64_t home_file_initial_size(const struct home_file *file);
/* As of the last finish; -1: unknown. */
int64_t home_file_size(const struct home_file *file);

enum home_end {
    HOME_END,   /* everything is written for now */
    HOME_ASIDE, /* and no more will be: the descriptor is closed */
    HOME_READY, /* and it is published next */
};

/* [any thread] Says that, once all that was written has been sent. The second waits for home's answer. */
void home_begin_finish(struct home_file *file, enum home_end end);
int home_end_finish(struct home_file *file, struct osiris_error *error);

/* [step's thread] Where to write the step's artifacts to (core/output/artifacts-stream.h): an output of a kind of its own. */
struct home_file *home_open_artifacts(struct home *home, struct step *step, struct osiris_error *error);

/* [step's thread] The step is over: its inputs are not wanted any more. */
void home_close_inputs(struct home *home, const struct step *step);
/* [step's thread] The same for an output, whose fate is decided at home. */
void home_close_output(struct home_file *file);
/* [main thread] Osiris is gone: nobody waits any more. `home` may be NULL. */
void home_cut(struct home *home);
/* [any thread] Some step was cancelled (progress.cancelled): it waits no more. `home` may be NULL. */
void home_cancel(struct home *home);

#endif
