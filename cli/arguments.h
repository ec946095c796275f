/*
 * The command line, read with tables: each subcommand has one entry (name, usage, summary, options), from which
 * parsing, help and error messages are made. `--option=value`, `--option value`, `-o value`,
 * `-ovalue`, `--`; options and operands in any order.
 *
 * Everything but the arrays is borrowed from argv; arguments_clear frees the arrays.
 */
#ifndef OSIRIS_CLI_ARGUMENTS_H
#define OSIRIS_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/base/error.h"

struct arguments;

struct option_entry {
    const char *name; /* without the dashes; NULL ends a table */
    char letter;      /* or 0 */
    const char *argument; /* the value's name in the help; NULL: a flag */
    const char *help;
    bool repeatable; /* a repeated flag means the same as one */
};

struct command_entry {
    const char *name;
    const char *operands; /* as usage shows them, or NULL */
    const char *summary;  /* one line */
    const struct option_entry *options; /* or NULL */
    const struct command_entry *const *subcommands; /* NULL-terminated, or NULL */
    size_t operands_minimum, operands_maximum;
    int (*execute)(const struct arguments *arguments); /* returns the exit code */
};

/* One option of the command line; `value` is NULL for a flag. */
struct used_option {
    const struct option_entry *option;
    const char *value;
};

struct arguments {
    const struct command_entry *command;
    char path[64]; /* "osiris components list" */
    struct used_option *options;
    size_t option_count;
    const char **operands; /* NULL-terminated */
    size_t operand_count;
    bool help;
    bool json; /* --json was used, even if the rest of the command line is wrong */
    bool has_stdout; /* standard output was open for writing when the program began */
};

/* Finds the command below `root` and reads its options and operands. -1: a usage error (category config);
 * `path`, `command` and `json` are then set as far as the command line was understood. */
int arguments_parse(struct arguments *arguments, const struct command_entry *root, int argc,
                    char **argv, struct osiris_error *error);
void arguments_clear(struct arguments *arguments);

bool arguments_flag(const struct arguments *arguments, const char *name);
/* The option's last value, or NULL. */
const char *arguments_value(const struct arguments *arguments, const char *name);
/* All values of a repeatable option, NULL-terminated; free the array. */
const char **arguments_values(const struct arguments *arguments, const char *name);

/* Usage, summary, subcommands, options. */
void arguments_print_help(const struct arguments *arguments, FILE *stream);

#endif
