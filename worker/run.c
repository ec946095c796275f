/* A prepared run; see run.h. */
#include "worker/run.h"

#include <string.h>

struct step *run_find_step(const struct run *run, const char *id)
{
    for (size_t i = 0; i < run->step_count; i++)
        if (id != NULL && run->steps[i].plan.id != NULL && strcmp(run->steps[i].plan.id, id) == 0)
            return &run->steps[i];
    return NULL;
}
