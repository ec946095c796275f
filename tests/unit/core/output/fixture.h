/* What the tests of core/output/output.h share. */
#ifndef OSIRIS_TESTS_UNIT_CORE_OUTPUT_FIXTURE_H
#define OSIRIS_TESTS_UNIT_CORE_OUTPUT_FIXTURE_H

#include "core/output/output.h"
#include "unit-folder.h"

/* The number of files and folders in a folder. */
int count(const char *path);
void expect_file(const char *path, const char *text);

/* `named`: with a hidden name; else with O_TMPFILE. */
struct output *open_output(const char *path, bool named, bool create);
/* Finishes, publishes and closes it. */
void publish(struct output *output);
/* A published output with this text, which is still open. */
struct output *publish_text(const char *path, const char *text, bool named);

#endif
