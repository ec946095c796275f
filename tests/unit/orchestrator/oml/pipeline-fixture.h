/* What the tests of reading pipelines share: three components, and pipelines from texts. */
#ifndef OSIRIS_TESTS_UNIT_OML_PIPELINE_FIXTURE_H
#define OSIRIS_TESTS_UNIT_OML_PIPELINE_FIXTURE_H

#include "orchestrator/oml/pipeline.h"

#define HEAD "oml_version: \"0.1.0\"\nname: p\nsteps:\n"
#define WRITE "- {id: w, component: x.write, mode: write, config: {path: o}}\n"

/* A registry with x.read, x.pass and x.write, and a temporary file for the pipeline. */
void pipeline_setup(void);
void pipeline_teardown(void);

/* NULL: it was refused, with diagnostics. `params` as for --param, or NULL. */
struct pipeline *load_bytes(const char *text, size_t length, const char *profile,
                            const char *const *params, struct diagnostics *diagnostics);
struct pipeline *load(const char *text, const char *profile, const char *const *params,
                      struct diagnostics *diagnostics);
/* The diagnostics as text; free it. */
char *printed(const struct diagnostics *diagnostics);
/* The pipeline is refused; each part is in the text of the diagnostics. NULL ends the parts. */
void expect_errors(const char *text, const char *const *params, size_t errors, const char *const *parts);

#define PARTS(...) (const char *const[]){__VA_ARGS__, NULL}

#endif
