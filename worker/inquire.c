/* The verbs of a driver that run nothing; see inquire.h. */
#include "worker/inquire.h"

#include <stddef.h>
#include <string.h>

#include "worker/run.h"

typedef int (*verb_function)(void *state);

static const struct {
    const char *name;
    size_t offset; /* of the function in struct osiris_driver */
} verbs[] = {
    {"check", offsetof(struct osiris_driver, check)},
    {"discover", offsetof(struct osiris_driver, discover)},
    {"plan", offsetof(struct osiris_driver, plan)},
};

bool inquire_is_verb(const char *verb)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, verb) == 0)
            return true;
    return false;
}

/* NULL if the driver has none: an older one's struct ends before it. */
static verb_function find(const struct osiris_driver *driver, const char *verb)
{
    verb_function function = NULL;

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, verb) == 0 &&
            driver->struct_size >= verbs[i].offset + sizeof function)
            memcpy(&function, (const char *)driver + verbs[i].offset, sizeof function);
    return function;
}

int inquire(struct step *step, struct osiris_error *error)
{
    verb_function function = find(step->plan.driver, step->request.verb);

    if (function == NULL)
        return osiris_error_set(error, OSIRIS_ERROR_CONFIG, "the driver \"%s\" has no %s",
                                step->plan.driver->name, step->request.verb);
    signs_enter(&step->signs, step->request.verb);
    int result = function(step->own.state);
    signs_leave(&step->signs);
    if (reports_end_verb(step, step->request.verb, result, error) < 0)
        return -1;
    if (reports_have_answer(step))
        return 0;
    return osiris_error_set(error, OSIRIS_ERROR_INTERNAL,
                            "%s returned no JSON object; this is a fault of the driver \"%s\"",
                            step->request.verb, step->plan.driver->name);
}
