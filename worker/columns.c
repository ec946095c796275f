/* Columns of one name; see columns.h. */
#include "worker/columns.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/buffer.h"
#include "worker/run.h"
#include "worker/step-messages.h"

#define MOST_NAMES 5

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_name(struct buffer *names, size_t count, const char *name)
{
    if (count < MOST_NAMES)
        buffer_append_format(names, "%s\"%.64s\"", count == 0 ? "" : ", ", name);
    else if (count == MOST_NAMES)
        buffer_append_format(names, ", …");
}

void columns_warn_of_equal_names(struct step *step, const struct ArrowSchema *schema)
{
    size_t count = (size_t)schema->n_children, equal = 0;
    _cleanup_free_ const char **names = count < 2 ? NULL : calloc(count, sizeof *names);
    _cleanup_buffer_ struct buffer list = BUFFER_INIT(4096);

    for (size_t i = 0; names != NULL && i < count; i++)
        names[i] = schema->children[i]->name == NULL ? "" : schema->children[i]->name;
    if (names == NULL)
        return;
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i], names[i - 1]) == 0 && (i == 1 || strcmp(names[i], names[i - 2]) != 0))
            append_name(&list, equal++, names[i]);
    if (equal > 0)
        step_log(step, "warning", "%.64s has several columns with the same name: %s; rename them (in SQL: with AS)",
                 step->plan.component, list.data);
}
