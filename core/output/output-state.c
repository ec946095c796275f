/* The state of an output; see output-state.h. */
#include "core/output/output-state.h"

int output_fail(struct output *output, struct osiris_error *error, int number, const char *what)
{
    return osiris_error_set_errno(error, number, "cannot %s \"%s\"", what, output->path);
}

int64_t output_size(const struct output *output)
{
    struct stat status;

    if (output->stream)
        return -1;
    if (output->aside)
        return output->final_size;
    return fstat(output->fd, &status) < 0 ? -1 : (int64_t)status.st_size;
}
