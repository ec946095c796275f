/* What the worker sends of a step; see step-messages.h. */
#include "worker/step-messages.h"

#include <stdarg.h>

#include "core/base/json-build.h"
#include "core/base/memory.h"
#include "worker/answer.h"
#include "worker/run.h"

char *step_clean_text(const struct step *step, const char *text)
{
    return redactor_short_text(step->run->redactor, text);
}

json_object *step_message_data(const struct step *step)
{
    json_object *data = json_object_new_object();

    json_add_string(data, "step_id", step->plan.id);
    return data;
}

void step_send(struct step *step, const char *type, json_object *data)
{
    signs_begin_wait(&step->signs);
    answer_message(step->run->channel, type, data, true);
    signs_end_wait(&step->signs);
}

void step_log_text(struct step *step, const char *level, const char *text)
{
    _cleanup_free_ char *clean = step_clean_text(step, text);
    json_object *data = step_message_data(step);

    json_add_string(data, "level", level);
    json_add_string(data, "message", clean == NULL ? "" : clean);
    step_send(step, "log", data);
}

void step_log(struct step *step, const char *level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *text = memory_vformat(format, arguments);
    va_end(arguments);
    step_log_text(step, level, text);
}
