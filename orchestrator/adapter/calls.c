/* Current calls of adapters; see calls.h. */
#include "orchestrator/adapter/calls.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buffer.h"

#define COUNT (sizeof((struct adapter_calls *)0)->calls / sizeof(struct adapter_call))

/* Set once, before any adapter is opened. */
static struct adapter_calls *shared;

void adapter_calls_share(struct adapter_calls *calls)
{
    shared = calls;
}

struct adapter_call *adapter_call_take(const char *adapter)
{
    for (size_t i = 0; shared != NULL && i < COUNT; i++) {
        struct adapter_call *call = &shared->calls[i];
        if (atomic_exchange(&call->taken, true))
            continue;
        snprintf(call->adapter, sizeof call->adapter, "%s", adapter);
        call->verb[0] = '\0';
        return call;
    }
    return NULL;
}

void adapter_call_note(struct adapter_call *call, const char *verb)
{
    if (call != NULL)
        snprintf(call->verb, sizeof call->verb, "%s", verb == NULL ? "" : verb);
}

void adapter_call_release(struct adapter_call *call)
{
    if (call != NULL)
        atomic_store(&call->taken, false);
}

static bool any_is_in_a_call(const struct adapter_calls *calls)
{
    for (size_t i = 0; i < COUNT; i++)
        if (atomic_load(&calls->calls[i].taken) && calls->calls[i].verb[0] != '\0')
            return true;
    return false;
}

static bool any_is_taken(const struct adapter_calls *calls)
{
    for (size_t i = 0; i < COUNT; i++)
        if (atomic_load(&calls->calls[i].taken))
            return true;
    return false;
}

static void append_bounded(struct buffer *text, const char *bytes, size_t size)
{
    buffer_append_format(text, "\"%.*s\"", (int)strnlen(bytes, size), bytes);
}

char *adapter_calls_text(const struct adapter_calls *calls)
{
    _cleanup_buffer_ struct buffer text = BUFFER_INIT(1 << 16);
    bool in_calls = any_is_in_a_call(calls), taken = any_is_taken(calls);

    buffer_append_text(&text, "");
    for (size_t i = 0; i < COUNT; i++) {
        const struct adapter_call *call = &calls->calls[i];
        if (atomic_load(&call->taken) != taken || call->adapter[0] == '\0' || (in_calls && call->verb[0] == '\0'))
            continue;
        buffer_append_text(&text, text.length > 0 ? ", adapter " : "adapter ");
        append_bounded(&text, call->adapter, sizeof call->adapter);
        if (!taken)
            buffer_append_text(&text, " after its last call");
        if (!in_calls)
            continue;
        buffer_append_text(&text, " in ");
        append_bounded(&text, call->verb, sizeof call->verb);
    }
    return buffer_steal(&text);
}
