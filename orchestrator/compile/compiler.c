/* The current step of the compiler, and reporting problems; see compiler.h. */
#include "orchestrator/compile/compiler.h"

#include <stdio.h>

#include "orchestrator/oml/pipeline-option.h"

void compiler_choose_step(struct config_compiler *compiler, size_t index)
{
    compiler->step = &compiler->pipeline->steps[index];
    compiler->alias = NULL;
    compiler->max_connections = 0;
    snprintf(compiler->location, sizeof compiler->location, "steps[%zu].config", index);
}

const char *compiler_step_name(const struct pipeline_step *step)
{
    return step->id == NULL ? step->component_name : step->id;
}

void compiler_report(struct config_compiler *compiler, const char *option, const char *hint, const char *message)
{
    const struct pipeline_step *step = compiler->step;
    struct source_location where = option == NULL ? step->config_where : pipeline_option_location(step, option);
    const char *type = option == NULL                                            ? "invalid_config"
                       : pipeline_has_option(step, option)                       ? "invalid_config_value"
                       : component_has_connection_field(step->component, option) ? "invalid_connection"
                                                                                 : "invalid_config";

    compiler_error(compiler, type, &where, hint, "%s", message);
}
