/*
 * Any file at all as a trace: what is read is in bounds, can be shown without control characters.
 */
#include "fuzz.h"

#include <string.h>

#include "orchestrator/records/trace.h"

static void check_line(const struct trace_record *record)
{
    _cleanup_free_ char *line = trace_describe(record);

    FUZZ_CHECK(line != NULL);
    for (const char *c = line; *c != '\0'; c++)
        FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void read_all(struct trace_reader *reader)
{
    struct trace_record record;
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    int result;

    while ((result = trace_reader_next(reader, &record, &error)) > 0) {
        FUZZ_CHECK(record.object != NULL);
        FUZZ_CHECK(record.is_end || (record.place != NULL && record.sequence >= 0));
        check_line(&record);
        trace_record_clear(&record);
    }
    FUZZ_CHECK((result < 0) == (error.category != 0));
    FUZZ_CHECK(record.object == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;
    struct trace_reader *reader = trace_reader_new("input", (const char *)data, size, &error);

    if (reader == NULL) {
        FUZZ_CHECK(error.category != 0);
        return 0;
    }
    read_all(reader);
    trace_reader_rewind(reader);
    read_all(reader);
    trace_reader_free(reader);
    return 0;
}
