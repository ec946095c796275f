/* The `osiris` command: finds the subcommand and leaves the rest to it. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/build.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/supervise.h"
#include "orchestrator/adapter/guard.h"
#include "core/base/memory.h"

static const struct command_entry *const oml_commands[] = {&command_validate, NULL};

static const struct command_entry command_oml = {
    .name = "oml",
    .summary = "check pipeline files",
    .subcommands = oml_commands,
};

static const struct command_entry *const commands[] = {
    &command_run, &command_validate, &command_compile, &command_components,
    &command_connections, &command_discovery,
#ifdef HAVE_BUNDLE
    &command_bundle,
#endif
    &command_rpc, &command_oml, NULL,
};

static const struct option_entry root_options[] = {
    {"version", 'V', NULL, "show the version", false},
    {0},
};

static int print_version(const struct arguments *arguments)
{
    (void)arguments;
    puts("osiris " PACKAGE_VERSION);
    return EXIT_CODE_SUCCESS;
}

static const struct command_entry root = {
    .name = "osiris",
    .summary = "run data pipelines written in YAML",
    .options = root_options,
    .subcommands = commands,
    .execute = print_version,
};

/* Opens missing standard descriptors, so that no file of ours gets their numbers. True if standard output is writable. */
static bool open_standard_descriptors(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/* Secrets are in this process's memory, so it leaves no core file and only root may trace it. What an adapter starts
 * may raise its own limit again. (The leak checker of the sanitizers needs tracing.) */
static void keep_memory_private(void)
{
    struct rlimit core;

    if (getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &core);
    }
#ifndef OSIRIS_SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* A closed pipe (EPIPE) is not a failure; a full disk is. */
static int finish_output(int code)
{
    if (fflush(stdout) == 0 || errno == EPIPE)
        return code;
    fprintf(stderr, "osiris: cannot write to standard output: %s\n", strerror(errno));
    return code == EXIT_CODE_SUCCESS ? EXIT_CODE_FAILED : code;
}

static int execute(int argc, char **argv, bool has_stdout)
{
    _cleanup_(arguments_clear) struct arguments arguments;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (arguments_parse(&arguments, &root, argc, argv, &error) < 0)
        return report_failure(arguments.json, "usage", &error, NULL, EXIT_CODE_USAGE);
    if (arguments.help) {
        arguments_print_help(&arguments, stdout);
        return EXIT_CODE_SUCCESS;
    }
    if (build_check_driver_dirs(&arguments, &error) < 0)
        return report_failure(arguments.json, "usage", &error, NULL, EXIT_CODE_USAGE);
    arguments.has_stdout = has_stdout;
    return arguments.command->execute(&arguments);
}

int main(int argc, char **argv)
{
    bool has_stdout = open_standard_descriptors();

    keep_memory_private();
    /* The user's files and arguments are bounded, so allocations made from them are not checked. A session, which handles what
     * peers send, checks them (session_run). */
    memory_insist();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* exceeding the file size limit is an error of write() */
    int code = finish_output(execute(argc, argv, has_stdout));
    bool is_sound = adapter_guard_check(NULL) == 0;
    if (!is_sound && code == EXIT_CODE_SUCCESS)
        code = EXIT_CODE_FAILED;
    (void)fflush(NULL);
    supervise_set_exit_code(code);
    /* What adapters that are loaded have left for the process's exit could end it in another way; and one that has
     * called exit is still in it. (Sanitizers report at the exit.) */
#ifdef OSIRIS_SANITIZED
    if (is_sound)
        return code;
#endif
    _exit(code);
}
