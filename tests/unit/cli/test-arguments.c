/* The command line by tables: what is read, and what is said about mistakes (cli/arguments.h). */
#include "unit.h"

#include <string.h>

#include "cli/arguments.h"

static int execute(const struct arguments *arguments)
{
    (void)arguments;
    return 0;
}

static const struct option_entry run_options[] = {
    {"profile", 'p', "NAME", "a profile", false},
    {"param", 0, "NAME=VALUE", "a parameter", true},
    {"verbose", 'v', NULL, "more", true},
    {"json", 0, NULL, "an object", true},
    {0},
};
static const struct command_entry run_entry = {
    .name = "run",
    .operands = "PIPELINE",
    .summary = "run it",
    .options = run_options,
    .operands_minimum = 1,
    .operands_maximum = 1,
    .execute = execute,
};
static const struct command_entry list_entry = {
    .name = "list", .summary = "list them", .execute = execute};
static const struct command_entry *const group_commands[] = {&list_entry, NULL};
static const struct command_entry group_entry = {
    .name = "group", .summary = "a group", .subcommands = group_commands};
static const struct command_entry *const root_commands[] = {&run_entry, &group_entry, NULL};
static const struct command_entry root = {
    .name = "osiris", .summary = "the root", .subcommands = root_commands};

/* The words behind "osiris". */
static int parse(struct arguments *arguments, struct osiris_error *error, const char *const *words)
{
    char *argv[16] = {(char *)"osiris"};
    int argc = 1;

    for (; *words != NULL; words++)
        argv[argc++] = (char *)*words;
    return arguments_parse(arguments, &root, argc, argv, error);
}

#define PARSE(arguments, error, ...)                                                               \
    parse(arguments, error, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void refuse(const char *message, const char *hint, const char *const *words)
{
    struct arguments arguments;
    struct osiris_error error = OSIRIS_ERROR_INIT;

    ck_assert_int_eq(parse(&arguments, &error, words), -1);
    ck_assert_str_eq(error.message, message);
    ck_assert_ptr_nonnull(error.hint);
    ck_assert_msg(strstr(error.hint, hint) != NULL, "hint is: %s", error.hint);
    osiris_error_clear(&error);
    arguments_clear(&arguments);
}

#define REFUSE(message, hint, ...)                                                                 \
    refuse(message, hint, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

START_TEST(test_options_and_operands_in_any_order)
{
    struct arguments arguments;

    ck_assert_int_eq(PARSE(&arguments, NULL, "run", "--param", "a=1", "x.yaml", "--param=b=2",
                           "-vpprod", "--json"),
                     0);
    ck_assert_ptr_eq(arguments.command, &run_entry);
    ck_assert_str_eq(arguments.path, "osiris run");
    ck_assert_uint_eq(arguments.operand_count, 1);
    ck_assert_str_eq(arguments.operands[0], "x.yaml");
    ck_assert_str_eq(arguments_value(&arguments, "profile"), "prod");
    ck_assert(arguments_flag(&arguments, "verbose"));
    ck_assert(!arguments_flag(&arguments, "help"));
    ck_assert(arguments.json);
    const char **params = arguments_values(&arguments, "param");
    ck_assert_str_eq(params[0], "a=1");
    ck_assert_str_eq(params[1], "b=2");
    ck_assert_ptr_null(params[2]);
    free(params);
    arguments_clear(&arguments);
}
END_TEST

START_TEST(test_two_dashes_end_the_options)
{
    struct arguments arguments;

    ck_assert_int_eq(PARSE(&arguments, NULL, "run", "--", "--json"), 0);
    ck_assert_str_eq(arguments.operands[0], "--json");
    ck_assert(!arguments.json);
    arguments_clear(&arguments);
}
END_TEST

START_TEST(test_empty_and_dashed_values_are_values)
{
    struct arguments arguments;

    ck_assert_int_eq(PARSE(&arguments, NULL, "run", "-", "--profile=", "--param", "--x=1"), 0);
    ck_assert_str_eq(arguments_value(&arguments, "profile"), "");
    ck_assert_str_eq(arguments_value(&arguments, "param"), "--x=1");
    ck_assert_str_eq(arguments.operands[0], "-");
    arguments_clear(&arguments);
}
END_TEST

START_TEST(test_subcommands)
{
    struct arguments arguments;

    ck_assert_int_eq(PARSE(&arguments, NULL, "group", "list"), 0);
    ck_assert_ptr_eq(arguments.command, &list_entry);
    ck_assert_str_eq(arguments.path, "osiris group list");
    arguments_clear(&arguments);
}
END_TEST

START_TEST(test_help_needs_nothing_else)
{
    struct arguments arguments;

    ck_assert_int_eq(PARSE(&arguments, NULL, "run", "--help"), 0);
    ck_assert(arguments.help);
    arguments_clear(&arguments);
    ck_assert_int_eq(PARSE(&arguments, NULL, "group", "-h"), 0);
    ck_assert(arguments.help);
    arguments_clear(&arguments);
}
END_TEST

START_TEST(test_mistakes)
{
    REFUSE("osiris: a command is missing", "osiris --help");
    REFUSE("osiris group: a command is missing", "osiris group --help", "group");
    REFUSE("unknown command \"rnu\"", "run", "rnu", "x");
    REFUSE("unknown option \"--profil\"", "--profile", "run", "--profil=x", "a");
    REFUSE("unknown option \"-x\"", "", "run", "-x");
    REFUSE("osiris run: PIPELINE is missing", "osiris run --help", "run");
    REFUSE("unexpected \"b\"", "osiris run --help", "run", "a", "b");
    REFUSE("option \"--param\" needs a value (NAME=VALUE)", "help", "run", "--param");
    REFUSE("option \"--profile\" needs a value (NAME)", "help", "run", "-p");
    REFUSE("option \"--profile\" appears twice", "help", "run", "-pa", "--profile", "b", "x");
    REFUSE("option \"--verbose\" takes no value", "help", "run", "--verbose=1", "x");
}
END_TEST

START_TEST(test_json_is_noticed_before_a_mistake)
{
    struct arguments arguments;

    ck_assert_int_eq(PARSE(&arguments, NULL, "run", "--nonsense", "--json"), -1);
    ck_assert(arguments.json);
    arguments_clear(&arguments);
}
END_TEST

START_TEST(test_help_shows_every_option)
{
    struct arguments arguments;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    ck_assert_int_eq(PARSE(&arguments, NULL, "run", "-h"), 0);
    arguments_print_help(&arguments, stream);
    (void)fclose(stream);
    ck_assert_ptr_nonnull(strstr(text, "usage: osiris run [OPTION]... PIPELINE\n"));
    for (const struct option_entry *option = run_options; option->name != NULL; option++)
        ck_assert_ptr_nonnull(strstr(text, option->name));
    ck_assert_ptr_nonnull(strstr(text, "-p, --profile NAME"));
    free(text);
    arguments_clear(&arguments);
}
END_TEST

UNIT_MAIN("arguments", test_options_and_operands_in_any_order, test_two_dashes_end_the_options,
          test_empty_and_dashed_values_are_values, test_subcommands, test_help_needs_nothing_else,
          test_mistakes, test_json_is_noticed_before_a_mistake, test_help_shows_every_option)
