/* Reference-counted views of batches, copies of schemas; see share.h. */
#include "core/arrow/share.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the array for as long as any node of any view lives. */
struct holder {
    atomic_size_t references;
    struct ArrowArray array;
};

static void drop(struct holder *holder)
{
    if (atomic_fetch_sub_explicit(&holder->references, 1, memory_order_acq_rel) != 1)
        return;
    if (holder->array.release != NULL)
        holder->array.release(&holder->array);
    free(holder);
}

static void release_view(struct ArrowArray *view)
{
    struct holder *holder = view->private_data;

    for (int64_t i = 0; i < view->n_children; i++) {
        /* A child that was moved out no longer has a release callback here. */
        if (view->children[i]->release != NULL)
            view->children[i]->release(view->children[i]);
        free(view->children[i]);
    }
    free(view->children);
    if (view->dictionary != NULL) {
        if (view->dictionary->release != NULL)
            view->dictionary->release(view->dictionary);
        free(view->dictionary);
    }
    view->release = NULL;
    drop(holder);
}

static int make_view(struct holder *holder, const struct ArrowArray *array,
                     struct ArrowArray *view);

static int view_children(struct holder *holder, const struct ArrowArray *array,
                         struct ArrowArray *view)
{
    if (array->n_children > 0) {
        view->children = calloc((size_t)array->n_children, sizeof(struct ArrowArray *));
        if (view->children == NULL)
            return -1;
    }
    for (int64_t i = 0; i < array->n_children; i++) {
        view->children[i] = calloc(1, sizeof(struct ArrowArray));
        view->n_children = i + 1;
        if (make_view(holder, array->children[i], view->children[i]) < 0)
            return -1;
    }
    if (array->dictionary == NULL)
        return 0;
    view->dictionary = calloc(1, sizeof(struct ArrowArray));
    return make_view(holder, array->dictionary, view->dictionary);
}

/* On failure the view has already been released. */
static int make_view(struct holder *holder, const struct ArrowArray *array, struct ArrowArray *view)
{
    *view = *array;
    view->n_children = 0;
    view->children = NULL;
    view->dictionary = NULL;
    view->release = release_view;
    view->private_data = holder;
    atomic_fetch_add_explicit(&holder->references, 1, memory_order_relaxed);
    if (view_children(holder, array, view) == 0)
        return 0;
    release_view(view);
    return -1;
}

int arrow_share(struct ArrowArray *array, struct ArrowArray *views, size_t count)
{
    struct holder *holder = malloc(sizeof *holder);
    size_t made = 0;

    atomic_init(&holder->references, 1);
    holder->array = *array;
    array->release = NULL;
    while (made < count && make_view(holder, &holder->array, &views[made]) == 0)
        made++;
    for (size_t i = 0; made < count && i < made; i++)
        views[i].release(&views[i]);
    drop(holder);
    return made == count ? 0 : -1;
}

/* Schemas. */

void arrow_schema_release(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release != NULL)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    free(schema->children);
    if (schema->dictionary != NULL && schema->dictionary->release != NULL)
        schema->dictionary->release(schema->dictionary);
    free(schema->dictionary);
    free((char *)schema->format);
    free((char *)schema->name);
    free((char *)schema->metadata);
    schema->release = NULL;
}

/* Length of the metadata's encoding: int32 pairs, then for each int32 length and bytes, twice. */
size_t arrow_metadata_length(const char *metadata)
{
    size_t at = sizeof(int32_t);
    int32_t pairs, length;

    memcpy(&pairs, metadata, sizeof pairs);
    for (int64_t i = 0; i < 2 * (int64_t)pairs; i++) {
        memcpy(&length, metadata + at, sizeof length);
        at += sizeof length + (length > 0 ? (size_t)length : 0);
    }
    return at;
}

static int copy_texts(const struct ArrowSchema *schema, struct ArrowSchema *out)
{
    out->format = strdup(schema->format);
    out->name = strdup(schema->name == NULL ? "" : schema->name);
    if (schema->metadata != NULL) {
        size_t length = arrow_metadata_length(schema->metadata);
        char *metadata = malloc(length);
        if (metadata != NULL)
            memcpy(metadata, schema->metadata, length);
        out->metadata = metadata;
        if (metadata == NULL)
            return -1;
    }
    return out->format == NULL || out->name == NULL ? -1 : 0;
}

static int copy_parts(const struct ArrowSchema *schema, struct ArrowSchema *out)
{
    if (copy_texts(schema, out) < 0)
        return -1;
    if (schema->n_children > 0) {
        out->children = calloc((size_t)schema->n_children, sizeof(struct ArrowSchema *));
        if (out->children == NULL)
            return -1;
    }
    for (int64_t i = 0; i < schema->n_children; i++) {
        out->children[i] = calloc(1, sizeof(struct ArrowSchema));
        out->n_children = i + 1;
        if (arrow_schema_copy(schema->children[i], out->children[i]) < 0)
            return -1;
    }
    if (schema->dictionary == NULL)
        return 0;
    out->dictionary = calloc(1, sizeof(struct ArrowSchema));
    return arrow_schema_copy(schema->dictionary, out->dictionary);
}

int arrow_schema_copy(const struct ArrowSchema *schema, struct ArrowSchema *out)
{
    *out = (struct ArrowSchema){.flags = schema->flags, .release = arrow_schema_release};
    if (copy_parts(schema, out) == 0)
        return 0;
    arrow_schema_release(out);
    return -1;
}
