/* Removes the last columns; see narrow.h. The original is kept in private data and released with the rest. */
#include "narrow.h"

#include <stdlib.h>

static void release_batch(struct ArrowArray *shown)
{
    struct ArrowArray *whole = shown->private_data;

    whole->release(whole);
    free(whole);
    shown->release = NULL;
}

int mysql_narrow_batch(struct ArrowArray *batch, unsigned hidden)
{
    if (hidden == 0)
        return 0;
    struct ArrowArray *whole = malloc(sizeof *whole);
    if (whole == NULL) {
        batch->release(batch);
        return -1;
    }
    *whole = *batch;
    batch->n_children -= hidden;
    batch->private_data = whole;
    batch->release = release_batch;
    return 0;
}

static void release_schema(struct ArrowSchema *shown)
{
    struct ArrowSchema *whole = shown->private_data;

    whole->release(whole);
    free(whole);
    shown->release = NULL;
}

int mysql_narrow_schema(struct ArrowSchema *schema, unsigned hidden)
{
    if (hidden == 0)
        return 0;
    struct ArrowSchema *whole = malloc(sizeof *whole);
    if (whole == NULL) {
        schema->release(schema);
        return -1;
    }
    *whole = *schema;
    schema->n_children -= hidden;
    schema->private_data = whole;
    schema->release = release_schema;
    return 0;
}
