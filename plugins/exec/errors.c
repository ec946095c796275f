/* Reports about commands and places; see errors.h. */
#include "errors.h"

#include <osiris/kit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CANNOT_RUN 126
#define NOT_FOUND 127

static const struct {
    const char *words; /* part of what ssh, docker, kubectl, srun, sudo, or a program of the place says */
    int32_t category;
    const char *hint;
} causes[] = {
    {"Permission denied (", OSIRIS_ERROR_AUTH,
     "nobody can be asked for a password here: use a key without a passphrase, or ssh-agent (SSH_AUTH_SOCK)"},
    {"Host key verification failed", OSIRIS_ERROR_AUTH, "connect by hand once, or add the host's key to known_hosts"},
    {"Could not resolve hostname", OSIRIS_ERROR_NOT_FOUND, "check the name of the host in the option `command`"},
    {"Connection refused", OSIRIS_ERROR_CONNECTION, "check host and port, and whether the server runs"},
    {"No such container", OSIRIS_ERROR_NOT_FOUND, "start the container, or correct its name in the option `command`"},
    {"no such container", OSIRIS_ERROR_NOT_FOUND, "start the container, or correct its name in the option `command`"},
    {"is not running", OSIRIS_ERROR_CONNECTION, "start the container"},
    {"(NotFound)", OSIRIS_ERROR_NOT_FOUND, "check pod and namespace in the option `command`"},
    {"Invalid partition", OSIRIS_ERROR_CONFIG, "correct the partition in the option `command`"},
    {"a terminal is required to read the password", OSIRIS_ERROR_AUTH, "nobody can be asked for a password here; see NOPASSWD in sudoers(5)"},
    {"a password is required", OSIRIS_ERROR_AUTH, "nobody can be asked for a password here; see NOPASSWD in sudoers(5)"},
    {"not a TTY", OSIRIS_ERROR_CONFIG, "leave -t out of the option `command`"},
    {"No space left on device", OSIRIS_ERROR_IO, "free some space in the place, or set the option `folder`"},
    {"Disk quota exceeded", OSIRIS_ERROR_QUOTA, "free some space in the place, or set the option `folder`"},
    {"Read-only file system", OSIRIS_ERROR_IO, "set the option `folder` to one that can be written to"},
    {"tar: not found", OSIRIS_ERROR_CONFIG, "the place needs tar and gzip (docs/exec.md)"},
    {"tar: command not found", OSIRIS_ERROR_CONFIG, "the place needs tar and gzip (docs/exec.md)"},
    {"gzip: not found", OSIRIS_ERROR_CONFIG, "the place needs tar and gzip (docs/exec.md)"},
    {"gzip: command not found", OSIRIS_ERROR_CONFIG, "the place needs tar and gzip (docs/exec.md)"},
    {"run: Permission denied", OSIRIS_ERROR_CONFIG, "set the option `folder` to one whose files may be executed"},
};

static int32_t find_cause(const char *text, int32_t category, const char **hint)
{
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (strstr(text, causes[i].words) != NULL) {
            *hint = causes[i].hint;
            return causes[i].category;
        }
    }
    return category;
}

const char *errors_name(const struct options *options, char text[ERRORS_NAME])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < options->count && length < ERRORS_NAME - 5; i++) {
        const int added = snprintf(text + length, ERRORS_NAME - 4 - length, "%s%s", i == 0 ? "" : " ", options->command[i]);
        length += (size_t)added;
    }
    if (length >= ERRORS_NAME - 4)
        strcpy(text + ERRORS_NAME - 5, "…");
    return text;
}

int errors_command(const struct osiris_host *host, const struct options *options, const struct command *command, const char *does,
                   const char *words)
{
    char name[ERRORS_NAME], end[96];
    const char *hint = NULL;
    const bool has_code = command->ended && !command->signalled;

    if (!command->ended)
        snprintf(end, sizeof end, "%s", does);
    else if (command->signalled)
        snprintf(end, sizeof end, "was killed by signal %d (%s)", command->code, strsignal(command->code));
    else
        snprintf(end, sizeof end, "ended with exit code %d", command->code);
    int32_t category = find_cause(words, command->ended ? OSIRIS_ERROR_CONNECTION : OSIRIS_ERROR_TIMEOUT, &hint);
    if (hint == NULL && has_code && (command->code == CANNOT_RUN || command->code == NOT_FOUND))
        hint = "the place needs a POSIX shell; the option `shell` names it";
    if (hint == NULL && !command->ended)
        hint = "the option `connect_timeout` sets how long it may take";
    return osiris_fail(host, category, 0, has_code ? command->code : 0, NULL, hint, "the command \"%s\" %s%s%s",
                       errors_name(options, name), end, words[0] == '\0' ? "" : ": ", words);
}

int errors_place(const struct osiris_host *host, const struct options *options, const char *what, const char *words)
{
    char name[ERRORS_NAME];
    const char *hint = NULL;
    const int32_t category = find_cause(words, OSIRIS_ERROR_CONFIG, &hint);

    return osiris_fail(host, category, 0, 0, NULL, hint, "the place behind \"%s\" cannot be used: %s%s%s", errors_name(options, name),
                       what, words[0] == '\0' ? "" : ": ", words);
}
