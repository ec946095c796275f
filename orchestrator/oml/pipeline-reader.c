/* Functions that the readers of a pipeline share; see pipeline-reader.h. */
#include "orchestrator/oml/pipeline-reader.h"

#include "orchestrator/base/near-miss.h"

char *pipeline_question(const struct pipeline_reader *reader, const char *wanted,
                        const char *const *candidates, size_t count)
{
    return diagnostics_are_full(reader->diagnostics) ? NULL
                                                     : near_miss_question(wanted, candidates, count);
}
