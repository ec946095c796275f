/* Calls of drivers' code other than verbs; see calls.h. */
#include "worker/calls.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The list of all names: they are never freed. A few words for each step. */
static struct driver_name *_Atomic all;

static __thread bool is_main_thread;
static __thread struct step_signs *step_signs;
static __thread const char *interrupted; /* the function that the step's thread was in before the call */
static _Atomic(const struct driver_name *) caller;
static _Atomic(const char *) called;
static atomic_uint number;

const struct driver_name *driver_name_new(const char *step_id, const char *component, const char *driver)
{
    struct driver_name *name = calloc(1, sizeof *name);

    name->step_id = strdup(step_id);
    name->component = strdup(component);
    name->driver = strdup(driver);
    name->next = atomic_exchange(&all, name);
    return name;
}

void calls_begin_main(void)
{
    is_main_thread = true;
}

void calls_begin_step(struct step_signs *signs)
{
    step_signs = signs;
}

void calls_enter(const struct driver_name *who, const char *function)
{
    if (is_main_thread) {
        atomic_store_explicit(&number, atomic_load_explicit(&number, memory_order_relaxed) + 1, memory_order_relaxed);
        atomic_store_explicit(&caller, who, memory_order_release);
        atomic_store_explicit(&called, function, memory_order_release);
    } else if (step_signs != NULL) {
        interrupted = atomic_load_explicit(&step_signs->function, memory_order_relaxed);
        signs_enter(step_signs, function);
    }
}

void calls_leave(void)
{
    if (is_main_thread)
        atomic_store_explicit(&called, NULL, memory_order_release);
    else if (step_signs != NULL)
        signs_enter(step_signs, interrupted);
}

struct main_call calls_read(void)
{
    return (struct main_call){.function = atomic_load_explicit(&called, memory_order_acquire),
                              .who = atomic_load_explicit(&caller, memory_order_acquire),
                              .number = atomic_load_explicit(&number, memory_order_acquire)};
}
