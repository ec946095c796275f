/*
 * Output files in turn; see parts.h.
 */
#include <stdlib.h>

#include "name.h"
#include "parts.h"
#include "report.h"

static uint32_t output_flags(const struct csv_options *options)
{
    return (options->create_dirs ? OSIRIS_OUTPUT_CREATE_DIRECTORIES : 0u) |
           (options->append ? OSIRIS_OUTPUT_APPEND : 0u) |
           (options->sync ? 0u : OSIRIS_OUTPUT_NO_SYNC);
}

static int open_part(struct csv_parts *parts)
{
    const struct osiris_host *host = parts->file.host;
    const struct csv_options *options = parts->file.options;
    int64_t initial_size = -1;
    int fd = -1;
    const struct osiris_output_options output = {
        .struct_size = sizeof output,
        .flags = output_flags(options),
        .mode = options->mode,
        .initial_size = &initial_size,
    };
    char *path = csv_name_make(host, options, ++parts->number);
    if (path == NULL)
        return -1;
    if (host->open_output(host, path, &output, &fd) < 0) {
        free(path);
        return -1;
    }
    csv_file_set(&parts->file, path, fd);
    if (options->append && initial_size < 0)
        return csv_fail(host, OSIRIS_ERROR_CONFIG, 0, "use a newer version of osiris",
                        "append: this version of osiris cannot append");
    parts->appends = initial_size > 0;
    return 0;
}

int csv_parts_init(struct csv_parts *parts, const struct osiris_host *host,
                   const struct csv_options *options)
{
    *parts = (struct csv_parts){0};
    return csv_file_init(&parts->file, host, options) < 0 ? -1 : open_part(parts);
}

void csv_parts_clear(struct csv_parts *parts)
{
    csv_file_clear(&parts->file);
}

int csv_parts_next(struct csv_parts *parts)
{
    struct csv_file *file = &parts->file;
    if (parts->number == CSV_PARTS_MAX)
        return csv_fail(file->host, OSIRIS_ERROR_CONFIG, 0, "raise rows_per_file or bytes_per_file",
                        "the table would need more than %d files", CSV_PARTS_MAX);
    if (csv_file_end(file) < 0)
        return -1;
    /* An older host finishes all of them at the end. */
    if (OSIRIS_HAS(file->host, finish_output) &&
        file->host->finish_output(file->host, file->fd) < 0)
        return -1;
    return open_part(parts);
}
