/*
 * Checks whether the data of a pipeline fits into messages to a worker, whose size is limited: one for each config, and
 * one for the rest. Otherwise the run would fail when they are sent.
 */
#include "orchestrator/compile/sizes.h"

#include "core/wire/frame.h"
#include "core/base/json-build.h"
#include "core/wire/message.h"

#define MIB (1u << 20)
/* The size of the rest of a request: ids and streams. And of `prepare`: paths, names of steps, the environment. */
#define BESIDE_CONFIG (64u << 10)
#define BESIDE_PLAN MIB
/* A message this short cannot have too many values. */
#define NEVER_TOO_MANY (MESSAGE_MAXIMUM_WEIGHT / (2 * MESSAGE_MAP_WEIGHT))

/* Why the value does not fit into a message that needs `beside` bytes for the rest; NULL: it fits. */
static const char *problem_of(json_object *value, size_t beside)
{
    _cleanup_buffer_ struct buffer encoded = BUFFER_INIT(FRAME_MAXIMUM_MESSAGE - beside);
    _cleanup_error_ struct osiris_error error = OSIRIS_ERROR_INIT;

    if (message_encode(value, &encoded, &error) < 0)
        return encoded.failed ? "a message to a worker may have at most 16 MiB" : "it is nested too deeply";
    if (encoded.length <= NEVER_TOO_MANY)
        return NULL;
    _cleanup_json_ json_object *decoded =
        message_decode((const uint8_t *)encoded.data, encoded.length, &error);
    return decoded == NULL ? "it has more values than a message to a worker may have" : NULL;
}

const char *compile_config_problem(json_object *config)
{
    return problem_of(config, BESIDE_CONFIG);
}

int compile_check_prepare(const struct compiled *compiled, struct diagnostics *diagnostics)
{
    _cleanup_json_ json_object *all = json_object_new_object();

    json_add(all, "plan", json_object_get(compiled->plan->json));
    json_add(all, "connections", json_object_get(compiled->connections));
    json_add(all, "secrets", json_object_get(compiled->secrets));
    const char *problem = problem_of(all, BESIDE_PLAN);
    if (problem == NULL)
        return 0;
    return diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, "too_large", NULL, NULL, 0, NULL,
                           "split it into several pipelines",
                           "the plan and the connections of all steps are too large: %s", problem);
}
