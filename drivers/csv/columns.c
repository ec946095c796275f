/*
 * The choice of columns; see columns.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "report.h"

#define NAME_COMPARED_MAX 64 /* longer names are not compared */

static const char *name_of(const struct ArrowSchema *schema, int64_t column)
{
    const char *name = schema->children[column]->name;
    return name != NULL ? name : "";
}

struct named {
    const char *name;
    int64_t source;
};

static int compare_names(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    /* UTF-8 sorts by bytes as by code points. Equal names keep the source's order. */
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->source > b->source) - (a->source < b->source);
}

static int no_memory(const struct osiris_host *host)
{
    return csv_fail(host, OSIRIS_ERROR_INTERNAL, 0, NULL, "not enough memory");
}

/* The number of characters to change, insert or delete to turn one into the other (Levenshtein).
 */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_COMPARED_MAX + 1], width = strlen(b);
    for (size_t i = 0; i <= width; i++)
        row[i] = i;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t changed = diagonal + (a[i] != b[j]);
            size_t shorter = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
            diagonal = row[j + 1];
            row[j + 1] = changed < shorter ? changed : shorter;
        }
    }
    return row[width];
}

/* The column with the most similar name, or NULL. */
static const char *near_miss(const struct ArrowSchema *schema, const char *wanted)
{
    const char *best = NULL;
    size_t best_distance = strlen(wanted) / 3 + 2;
    if (strlen(wanted) > NAME_COMPARED_MAX)
        return NULL;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = name_of(schema, i);
        if (name[0] == '\0')
            continue;
        size_t different = strcasecmp(name, wanted) == 0      ? 1
                           : strlen(name) > NAME_COMPARED_MAX ? SIZE_MAX
                                                              : distance(wanted, name);
        if (different < best_distance) {
            best_distance = different;
            best = name;
        }
    }
    return best;
}

static int refuse_unknown(const struct osiris_host *host, const struct ArrowSchema *schema,
                          const char *wanted)
{
    char hint[300] = "list only columns of the input";
    const char *near = near_miss(schema, wanted);
    if (near != NULL)
        snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
    return csv_refuse(host, "columns", hint, "the input has no column \"%s\"", wanted);
}

/* The first of the sorted columns that is not before `name`. */
static size_t lower_bound(const struct named *sorted, size_t count, const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Takes the columns of the config's list; *taken marks those of `sorted` that were taken. */
static int choose_listed(const struct osiris_host *host, const struct ArrowSchema *schema,
                         const struct named *sorted, bool *taken, struct csv_field *fields,
                         size_t *count)
{
    size_t listed = host->get_count(host, OSIRIS_CONFIG, "columns");
    size_t available = (size_t)schema->n_children;
    for (size_t i = 0; i < listed; i++) {
        char pointer[40];
        snprintf(pointer, sizeof pointer, "/columns/%zu", i);
        const char *wanted = host->get_string(host, OSIRIS_CONFIG, pointer, "");
        size_t at = lower_bound(sorted, available, wanted);
        if (at == available || strcmp(sorted[at].name, wanted) != 0)
            return refuse_unknown(host, schema, wanted);
        if (taken[at])
            return csv_refuse(host, "columns", "list it once", "\"%s\" is listed twice", wanted);
        for (; at < available && strcmp(sorted[at].name, wanted) == 0; at++) {
            taken[at] = true;
            fields[(*count)++].source = sorted[at].source;
        }
    }
    return 0;
}

static int choose(const struct osiris_host *host, const struct csv_options *options,
                  const struct ArrowSchema *schema, struct named *columns, struct csv_field *fields,
                  size_t *count)
{
    size_t available = (size_t)schema->n_children;
    for (size_t i = 0; i < available; i++)
        columns[i] = (struct named){name_of(schema, (int64_t)i), (int64_t)i};
    if (options->order != CSV_ORDER_SOURCE)
        qsort(columns, available, sizeof *columns, compare_names);
    if (options->order == CSV_ORDER_LIST) {
        bool *taken = calloc(available + 1, sizeof *taken);
        int chosen = taken == NULL ? no_memory(host)
                                   : choose_listed(host, schema, columns, taken, fields, count);
        free(taken);
        return chosen;
    }
    for (size_t i = 0; i < available; i++)
        fields[(*count)++].source = columns[i].source;
    return 0;
}

int csv_columns_choose(const struct osiris_host *host, const struct csv_options *options,
                       const struct ArrowSchema *schema, struct csv_field **fields, size_t *count)
{
    size_t available = (size_t)schema->n_children;
    struct named *columns = calloc(available + 1, sizeof *columns);
    *fields = calloc(available + 1, sizeof **fields);
    *count = 0;
    int chosen = columns == NULL || *fields == NULL
                     ? no_memory(host)
                     : choose(host, options, schema, columns, *fields, count);
    free(columns);
    if (chosen == 0)
        return 0;
    free(*fields);
    *fields = NULL;
    *count = 0;
    return -1;
}
