/* Names of osiris's own events and metrics; see own-names.h. */
#include "orchestrator/records/own-names.h"

#include "core/base/one-of.h"

#define NAME(name, text) text,
static const char *const events[] = {OWN_EVENTS(NAME) NULL};
static const char *const metrics[] = {OWN_METRICS(NAME) NULL};
#undef NAME

const char *own_metric_name(enum own_metric metric)
{
    return metrics[metric];
}

bool own_event_has_name(const char *name)
{
    return is_one_of(name, events);
}

bool own_metric_has_name(const char *name)
{
    return is_one_of(name, metrics);
}

void rundir_own_event(struct rundir *rundir, enum own_event event, json_object *fields)
{
    rundir_event(rundir, events[event], fields);
}

void rundir_own_metric(struct rundir *rundir, enum own_metric metric, double value, const char *unit, json_object *tags)
{
    rundir_metric(rundir, metrics[metric], value, unit, tags);
}
