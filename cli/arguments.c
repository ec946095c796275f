/* Reading the command line by the commands' tables; see arguments.h. */
#include "cli/arguments.h"

#include <string.h>

#include "core/base/memory.h"
#include "orchestrator/base/near-miss.h"
#include "core/base/utf8.h"

/* More than any table has. */
#define CANDIDATES_MAXIMUM 64

static const struct option_entry help_option = {"help", 'h', NULL, "show this help", true};

/* `what` is unknown; the hint names what was probably meant. */
static int unknown(struct osiris_error *error, const char *path, const char *what,
                   const char *word, const char *const *candidates, size_t count)
{
    _cleanup_free_ char *question = near_miss_question(word, candidates, count);

    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "unknown %s \"%s\"", what, word);
    if (question != NULL)
        return osiris_error_hint(error, "%s", question);
    return osiris_error_hint(error, "try \"%s --help\"", path);
}

static int usage_error(const struct arguments *arguments, struct osiris_error *error)
{
    return osiris_error_hint(error, "try \"%s --help\"", arguments->path);
}

/* Commands. */

static const struct command_entry *find_command(const struct command_entry *parent,
                                                const char *name)
{
    for (size_t i = 0; parent->subcommands[i] != NULL; i++)
        if (strcmp(parent->subcommands[i]->name, name) == 0)
            return parent->subcommands[i];
    return NULL;
}

static int unknown_command(const struct arguments *arguments, const char *word,
                           struct osiris_error *error)
{
    const char *candidates[CANDIDATES_MAXIMUM] = {0};
    size_t count = 0;

    for (size_t i = 0; arguments->command->subcommands[i] != NULL; i++)
        if (count < CANDIDATES_MAXIMUM)
            candidates[count++] = arguments->command->subcommands[i]->name;
    return unknown(error, arguments->path, "command", word, candidates, count);
}

static void enter_command(struct arguments *arguments, const struct command_entry *command)
{
    size_t length = strlen(arguments->path);

    snprintf(arguments->path + length, sizeof arguments->path - length, "%s%s",
             length > 0 ? " " : "", command->name);
    arguments->command = command;
}

/* Options. */

static const struct option_entry *find_option(const struct command_entry *command, const char *name,
                                              size_t length, char letter)
{
    if ((letter != 0 && letter == help_option.letter) ||
        (letter == 0 && length == 4 && strncmp(name, help_option.name, length) == 0))
        return &help_option;
    for (const struct option_entry *option = command->options;
         option != NULL && option->name != NULL; option++) {
        if (letter != 0 ? option->letter == letter
                        : strlen(option->name) == length &&
                              strncmp(option->name, name, length) == 0)
            return option;
    }
    return NULL;
}

static int unknown_option(const struct arguments *arguments, const char *word, size_t length,
                          struct osiris_error *error)
{
    char *candidates[CANDIDATES_MAXIMUM] = {0};
    size_t count = 0;
    _cleanup_free_ char *name = strndup(word, length);

    for (const struct option_entry *option = arguments->command->options;
         option != NULL && option->name != NULL && count < CANDIDATES_MAXIMUM; option++)
        candidates[count++] = memory_format("--%s", option->name);
    unknown(error, arguments->path, "option", name, (const char *const *)candidates, count);
    while (count > 0)
        free(candidates[--count]);
    return -1;
}

static int note_option(struct arguments *arguments, const struct option_entry *option,
                       const char *value, struct osiris_error *error)
{
    if (option == &help_option) {
        arguments->help = true;
        return 0;
    }
    for (size_t i = 0; !option->repeatable && i < arguments->option_count; i++)
        if (arguments->options[i].option == option) {
            osiris_error_set(error, OSIRIS_ERROR_CONFIG, "option \"--%s\" appears twice",
                             option->name);
            return usage_error(arguments, error);
        }
    arguments->options[arguments->option_count++] =
        (struct used_option){.option = option, .value = value};
    return 0;
}

static int missing_value(const struct arguments *arguments, const struct option_entry *option,
                         struct osiris_error *error)
{
    osiris_error_set(error, OSIRIS_ERROR_CONFIG, "option \"--%s\" needs a value (%s)", option->name,
                     option->argument);
    return usage_error(arguments, error);
}

/* `--name`, `--name=value`, `--name value`. Returns the number of words used, or -1. */
static int read_long(struct arguments *arguments, const char *word, const char *next,
                     struct osiris_error *error)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct option_entry *option = find_option(arguments->command, name, length, 0);

    if (option == NULL)
        return unknown_option(arguments, word, length + 2, error);
    if (option->argument == NULL && value != NULL) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "option \"--%s\" takes no value",
                         option->name);
        return usage_error(arguments, error);
    }
    if (option->argument == NULL || value != NULL)
        return note_option(arguments, option, value, error) < 0 ? -1 : 1;
    if (next == NULL)
        return missing_value(arguments, option, error);
    return note_option(arguments, option, next, error) < 0 ? -1 : 2;
}

/* `-a`, `-ab`, `-pvalue`, `-p value`. Returns the number of words used, or -1. */
static int read_letters(struct arguments *arguments, const char *word, const char *next,
                        struct osiris_error *error)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const struct option_entry *option = find_option(arguments->command, "", 0, *letter);
        char shown[3] = {'-', *letter, '\0'};
        if (option == NULL)
            return unknown_option(arguments, shown, 2, error);
        if (option->argument == NULL) {
            if (note_option(arguments, option, NULL, error) < 0)
                return -1;
            continue;
        }
        if (letter[1] != '\0')
            return note_option(arguments, option, letter + 1, error) < 0 ? -1 : 1;
        if (next == NULL)
            return missing_value(arguments, option, error);
        return note_option(arguments, option, next, error) < 0 ? -1 : 2;
    }
    return 1;
}

static int add_operand(struct arguments *arguments, const char *word, struct osiris_error *error)
{
    const struct command_entry *command = arguments->command;

    if (command->subcommands != NULL && arguments->operand_count == 0) {
        const struct command_entry *found = find_command(command, word);
        if (found == NULL)
            return unknown_command(arguments, word, error);
        enter_command(arguments, found);
        return 0;
    }
    if (arguments->operand_count == command->operands_maximum) {
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "unexpected \"%s\"", word);
        return usage_error(arguments, error);
    }
    arguments->operands[arguments->operand_count++] = word;
    return 0;
}

static int read_words(struct arguments *arguments, int argc, char **argv,
                      struct osiris_error *error)
{
    bool options_end = false;

    for (int i = 1; i < argc;) {
        const char *word = argv[i];
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        int taken = 1;
        if (!options_end && strcmp(word, "--") == 0)
            options_end = true;
        else if (!options_end && strncmp(word, "--", 2) == 0)
            taken = read_long(arguments, word, next, error);
        else if (!options_end && word[0] == '-' && word[1] != '\0')
            taken = read_letters(arguments, word, next, error);
        else
            taken = add_operand(arguments, word, error) < 0 ? -1 : 1;
        if (taken < 0)
            return -1;
        i += taken;
    }
    return 0;
}

static int check_operands(const struct arguments *arguments, struct osiris_error *error)
{
    const struct command_entry *command = arguments->command;

    if (arguments->help || (command->subcommands != NULL && command->execute != NULL &&
                            arguments->option_count > 0))
        return 0;
    if (command->subcommands != NULL)
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%s: a command is missing", arguments->path);
    else if (arguments->operand_count < command->operands_minimum)
        osiris_error_set(error, OSIRIS_ERROR_CONFIG, "%s: %s is missing", arguments->path,
                         command->operands);
    else
        return 0;
    return usage_error(arguments, error);
}

/* Arguments end up in records, in configs and in the JSON that is printed; so do paths. */
static int check_encoding(int argc, char **argv, struct osiris_error *error)
{
    for (int i = 1; i < argc; i++)
        if (!utf8_is_valid(argv[i], strlen(argv[i])))
            return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "argument %d of the command line is not UTF-8: \"%.200s\"", i,
                                    argv[i]);
    return 0;
}

int arguments_parse(struct arguments *arguments, const struct command_entry *root, int argc,
                    char **argv, struct osiris_error *error)
{
    *arguments = (struct arguments){0};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            arguments->json = true;
    if (check_encoding(argc, argv, error) < 0)
        return -1;
    enter_command(arguments, root);
    /* Letters may share a word, so each letter of argv may be an option. */
    size_t letters = 1;
    for (int i = 1; i < argc; i++)
        letters += strlen(argv[i]) + 1;
    arguments->options = calloc(letters, sizeof *arguments->options);
    arguments->operands = calloc((size_t)argc + 1, sizeof *arguments->operands);
    if (read_words(arguments, argc, argv, error) < 0)
        return -1;
    return check_operands(arguments, error);
}

void arguments_clear(struct arguments *arguments)
{
    free(arguments->options);
    free(arguments->operands);
    *arguments = (struct arguments){0};
}

/* Looking up the values. */

bool arguments_flag(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->option_count; i++)
        if (strcmp(arguments->options[i].option->name, name) == 0)
            return true;
    return false;
}

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    for (size_t i = arguments->option_count; i > 0; i--)
        if (strcmp(arguments->options[i - 1].option->name, name) == 0)
            return arguments->options[i - 1].value;
    return NULL;
}

const char **arguments_values(const struct arguments *arguments, const char *name)
{
    const char **values = calloc(arguments->option_count + 1, sizeof *values);
    size_t count = 0;

    for (size_t i = 0; i < arguments->option_count; i++)
        if (strcmp(arguments->options[i].option->name, name) == 0)
            values[count++] = arguments->options[i].value;
    return values;
}

/* Help. */

static void print_option(const struct option_entry *option, FILE *stream)
{
    char left[64];
    char letter[5] = "    ";

    if (option->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name,
             option->argument == NULL ? "" : " ",
             option->argument == NULL ? "" : option->argument);
    fprintf(stream, "  %-24s  %s%s\n", left, option->help,
            option->repeatable && option->argument != NULL ? " (may be repeated)" : "");
}

void arguments_print_help(const struct arguments *arguments, FILE *stream)
{
    const struct command_entry *command = arguments->command;

    fprintf(stream, "usage: %s [OPTION]...%s%s%s\n\n%s\n", arguments->path,
            command->subcommands != NULL ? " COMMAND" : "", command->operands == NULL ? "" : " ",
            command->operands == NULL ? "" : command->operands, command->summary);
    if (command->subcommands != NULL) {
        fputs("\ncommands:\n", stream);
        for (size_t i = 0; command->subcommands[i] != NULL; i++)
            fprintf(stream, "  %-12s  %s\n", command->subcommands[i]->name,
                    command->subcommands[i]->summary);
    }
    fputs("\noptions:\n", stream);
    for (const struct option_entry *option = command->options;
         option != NULL && option->name != NULL; option++)
        print_option(option, stream);
    print_option(&help_option, stream);
}
