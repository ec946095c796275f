/* The options of a place; see options.h. */
#include "options.h"

#include <osiris/kit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char options_spec[] =
    "{\"title\": \"Command\","
    " \"description\": \"Runs the worker wherever a command can start a program: ssh, docker exec, kubectl exec, srun, …\","
    " \"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"command\"], \"properties\": {"
    "  \"command\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"minLength\": 1}, \"minItems\": 1,"
    "   \"description\": \"The words that stand before the shell: [ssh, build-box]\"},"
    "  \"shell\": {\"type\": \"string\", \"minLength\": 1, \"default\": \"sh\","
    "   \"description\": \"A POSIX shell in the place. It gets a script on its standard input\"},"
    "  \"folder\": {\"type\": \"string\", \"pattern\": \"^/[^:;$]*$\","
    "   \"description\": \"Where bundles and workers lie in the place: an absolute path. Default: osiris/place in the user's cache\"},"
    "  \"files\": {\"type\": \"string\", \"enum\": [\"home\", \"shared\"], \"default\": \"home\","
    "   \"description\": \"home: the pipeline's files are on this machine. shared: the place has the same file system\"},"
    "  \"keep_bundle\": {\"type\": \"boolean\", \"default\": true,"
    "   \"description\": \"Leave the bundle in the place for later runs\"},"
    "  \"connect_timeout\": {\"type\": \"number\", \"minimum\": 0.1, \"maximum\": 3600, \"default\": 30,"
    "   \"description\": \"Seconds without progress after which an attempt to connect is given up\"},"
    "  \"pass_env\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"minLength\": 1}, \"default\": [],"
    "   \"description\": \"More environment variables of this machine that the command gets\"}}}}";

/* What ssh, docker, kubectl and srun look at. srun takes its environment to the place, so it is not all of ours, in which there may
 * be secrets. A name that ends with an underscore stands for all that begin with it. */
static const char *const passed[] = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST",
    "KUBECONFIG", "SLURM_", "SBATCH_",
};
static const char *const withheld[] = {"SLURM_JWT", "SLURM_UNBUFFEREDIO"};

/* srun holds back what does not end with a newline, and ssh must not open a window to ask for a password. */
static char unbuffered[] = "SLURM_UNBUFFEREDIO=1", no_window[] = "SSH_ASKPASS_REQUIRE=never";

static bool names(const char *name, const char *variable)
{
    size_t length = strlen(name);

    if (strncmp(name, variable, length) != 0)
        return false;
    return variable[length] == '=' || (length > 0 && name[length - 1] == '_' && strchr(variable, '=') != NULL);
}

static bool is_passed(const struct osiris_host *host, const char *variable)
{
    char pointer[48];

    for (size_t i = 0; i < host->get_count(host, OSIRIS_CONFIG, "pass_env"); i++) {
        snprintf(pointer, sizeof pointer, "/pass_env/%zu", i);
        const char *name = host->get_string(host, OSIRIS_CONFIG, pointer, "");
        size_t length = strlen(name);
        if (length > 0 && strncmp(name, variable, length) == 0 && variable[length] == '=')
            return true;
    }
    for (size_t i = 0; i < sizeof withheld / sizeof withheld[0]; i++)
        if (names(withheld[i], variable))
            return false;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        if (names(passed[i], variable))
            return true;
    return false;
}

static int read_environment(struct options *options, const struct osiris_host *host)
{
    size_t count = 0, kept = 0;

    while (environ != NULL && environ[count] != NULL)
        count++;
    options->environment = calloc(count + 3, sizeof *options->environment);
    if (options->environment == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (is_passed(host, environ[i]))
            options->environment[kept++] = environ[i];
    options->environment[kept++] = unbuffered;
    options->environment[kept] = no_window;
    return 0;
}

static int read_command(struct options *options, const struct osiris_host *host)
{
    char pointer[48];

    options->count = host->get_count(host, OSIRIS_CONFIG, "command");
    options->command = calloc(options->count + 2, sizeof *options->command);
    if (options->command == NULL)
        return -1;
    for (size_t i = 0; i < options->count; i++) {
        snprintf(pointer, sizeof pointer, "/command/%zu", i);
        options->command[i] = (char *)host->get_string(host, OSIRIS_CONFIG, pointer, "");
    }
    options->command[options->count] = (char *)host->get_string(host, OSIRIS_CONFIG, "shell", "sh");
    return 0;
}

int options_read(struct options *options, const struct osiris_host *host)
{
    if (read_command(options, host) < 0 || read_environment(options, host) < 0)
        return osiris_fail(host, OSIRIS_ERROR_INTERNAL, 0, 0, NULL, NULL, "out of memory");
    options->folder = host->get_string(host, OSIRIS_CONFIG, "folder", NULL);
    options->shares_files = strcmp(host->get_string(host, OSIRIS_CONFIG, "files", "home"), "shared") == 0;
    options->keeps_bundle = host->get_boolean(host, OSIRIS_CONFIG, "keep_bundle", 1);
    options->connect_ms = (int)(host->get_number(host, OSIRIS_CONFIG, "connect_timeout", 30) * 1000);
    return 0;
}

void options_clear(struct options *options)
{
    free(options->command);
    free(options->environment);
}
