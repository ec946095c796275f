/*
 * Memory for bodies: aligned blocks that are reused. Fresh pages for a body of 1 MiB cost as much as reading into it, so
 * a pool keeps some blocks that their last user has freed; batches in these blocks may outlive it.
 *
 * Thread-safe.
 */
#ifndef OSIRIS_CORE_WIRE_BODY_H
#define OSIRIS_CORE_WIRE_BODY_H

#include <stddef.h>

#define BODY_ALIGNMENT 64

struct body_pool;

/* Keeps blocks of up to `kept_bytes` in total. */
struct body_pool *body_pool_new(size_t kept_bytes);
/* Blocks in use remain valid until body_free. NULL is ignored. */
void body_pool_free(struct body_pool *pool);

/* A block of at least `length` bytes at a multiple of BODY_ALIGNMENT, from the pool if it has one. `pool` may be NULL. */
void *body_new(struct body_pool *pool, size_t length);
/* Its capacity. */
size_t body_room(const void *body);
/* Makes it longer, if it can be done without a copy of large blocks (their pages move). NULL: no memory, the old block stays. */
void *body_grow(void *body, size_t length);
/* NULL is ignored. */
void body_free(void *body);

#endif
