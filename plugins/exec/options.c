/* The options of a place; see options.h. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

const char options_spec[] =
    "{\"title\": \"Command\","
    " \"description\": \"Runs the worker wherever a command can start a program: ssh, docker exec, kubectl exec, srun, …\","
    " \"configSchema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"command\"], \"properties\": {"
    "  \"command\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"minLength\": 1}, \"minItems\": 1,"
    "   \"description\": \"what stands before the shell: [ssh, build-box]\"},"
    "  \"shell\": {\"type\": \"string\", \"minLength\": 1, \"default\": \"sh\","
    "   \"description\": \"a POSIX shell of the place; it reads a script from its standard input\"},"
    "  \"folder\": {\"type\": \"string\", \"pattern\": \"^/\","
    "   \"description\": \"an absolute path in the place where bundles and workers lie; default: osiris in the user's cache\"},"
    "  \"files\": {\"type\": \"string\", \"enum\": [\"home\", \"shared\"], \"default\": \"home\","
    "   \"description\": \"home: the files of the pipeline are on this machine only; shared: the place has the same file system\"},"
    "  \"keep_bundle\": {\"type\": \"boolean\", \"default\": true,"
    "   \"description\": \"leave the bundle in the place for the next run\"},"
    "  \"pass_env\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"minLength\": 1},"
    "   \"description\": \"names of more environment variables that the command gets\"},"
    "  \"connect_timeout\": {\"type\": \"number\", \"minimum\": 0.1, \"maximum\": 3600, \"default\": 30,"
    "   \"description\": \"seconds without any progress until the worker answers\"}}}}";

/* NULL: out of memory. */
static const char **read_list(const struct osiris_host *host, const char *name, size_t *count)
{
    *count = host->get_count(host, OSIRIS_CONFIG, name);
    const char **list = calloc(*count + 1, sizeof *list);

    for (size_t i = 0; list != NULL && i < *count; i++) {
        char pointer[48];
        snprintf(pointer, sizeof pointer, "/%s/%zu", name, i);
        list[i] = host->get_string(host, OSIRIS_CONFIG, pointer, "");
    }
    return list;
}

int options_read(struct options *options, const struct osiris_host *host)
{
    options->command = read_list(host, "command", &options->count);
    options->passed = read_list(host, "pass_env", &options->passed_count);
    if (options->command == NULL || options->passed == NULL)
        return fail(host, OSIRIS_ERROR_INTERNAL, NULL, "out of memory");
    options->shell = host->get_string(host, OSIRIS_CONFIG, "shell", "sh");
    options->folder = host->get_string(host, OSIRIS_CONFIG, "folder", NULL);
    options->shares_files = strcmp(host->get_string(host, OSIRIS_CONFIG, "files", "home"), "shared") == 0;
    options->keeps_bundle = host->get_boolean(host, OSIRIS_CONFIG, "keep_bundle", 1);
    options->connect_ms = (int)(host->get_number(host, OSIRIS_CONFIG, "connect_timeout", 30) * 1000);
    return 0;
}

void options_clear(struct options *options)
{
    free(options->command);
    free(options->passed);
}
