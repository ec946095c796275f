/* To the wire and from it, in memory: header, message, array; beside Arrow IPC of the same columns. See rpc.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/rpc.h"
#include "core/wire/body.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "core/base/json-build.h"
#include "core/wire/message.h"
#include "core/wire/batch.h"

enum { TIMES = 2000 };

/* The same shapes, with the columns' buffers written to one block and read from it without a copy. */
static const char arrow_program[] =
    "import sys\n"
    "try:\n"
    "    import pyarrow as pa\n"
    "except ImportError:\n"
    "    print('  Arrow IPC: python3 has no pyarrow'); sys.exit()\n"
    "import time\n"
    "def batch(formats, size):\n"
    "    widths = {'l': 8, 'g': 8, 'u': 18, 'd': 16, 't': 8, 'b': 0.125}\n"
    "    rows = int(size / sum(widths[f] for f in formats))\n"
    "    make = {'l': lambda: pa.array(range(rows), pa.int64()),\n"
    "            'g': lambda: pa.array([float(i) for i in range(rows)], pa.float64()),\n"
    "            'u': lambda: pa.array(['x' * (i % 29) for i in range(rows)], pa.utf8()),\n"
    "            'd': lambda: pa.array([i for i in range(rows)], pa.int64()).cast(pa.decimal128(38, 2)),\n"
    "            't': lambda: pa.array(range(rows), pa.timestamp('us')),\n"
    "            'b': lambda: pa.array([i % 2 == 0 for i in range(rows)], pa.bool_())}\n"
    "    return pa.record_batch([make[f]() for f in formats], [str(i) for i in range(len(formats))])\n"
    "def timed(work):\n"
    "    times = []\n"
    "    for i in range(300):\n"
    "        began = time.perf_counter(); work(); times.append(time.perf_counter() - began)\n"
    "    return sorted(times)[150] * 1e6\n"
    "for name, formats in (('int64', 'llll'), ('double', 'gggg'), ('utf8', 'uuuu'), ('mixed', 'lludgtub')):\n"
    "    for size in (64 << 10, 1 << 20, 4 << 20):\n"
    "        b = batch(formats, size)\n"
    "        block = b.serialize()\n"
    "        print(f'  {name:7} {size >> 10:5} KiB  {timed(lambda: b.serialize()):8.1f}  '\n"
    "              f'{timed(lambda: pa.ipc.read_record_batch(block, b.schema)):8.1f}  Arrow IPC '\n"
    "              '(copies the columns to encode)')\n";

static double encode(const struct shape *shape, struct buffer *message)
{
    static double samples[TIMES];

    for (int i = 0; i < TIMES; i++) {
        struct wire_batch batch;
        int64_t began = clock_monotonic_ns();
        check(wire_batch_encode(shape->schema, shape->array, &batch, NULL) == 0, "cannot encode");
        buffer_reset(message);
        check(wire_batch_write(&batch, 1, message, NULL) == 0, "cannot encode");
        wire_batch_clear(&batch);
        samples[i] = (double)(clock_monotonic_ns() - began);
    }
    return percentile(samples, TIMES, 0.5);
}

static void *copy_body(const struct shape *shape, size_t *length)
{
    struct wire_batch batch;
    void *body = NULL;
    size_t at = 0;

    check(wire_batch_encode(shape->schema, shape->array, &batch, NULL) == 0, "cannot encode");
    body = body_new(NULL, batch.length);
    check(body != NULL, "out of memory");
    for (size_t i = 0; i < batch.piece_count; i++) {
        memcpy((char *)body + at, batch.pieces[i].iov_base, batch.pieces[i].iov_len);
        at += batch.pieces[i].iov_len;
    }
    *length = batch.length;
    wire_batch_clear(&batch);
    return body;
}

static double decode(const struct shape *shape, const struct buffer *message)
{
    static double samples[TIMES / 10];

    for (int i = 0; i < TIMES / 10; i++) {
        struct ArrowArray array;
        size_t length;
        void *body = copy_body(shape, &length);
        int64_t began = clock_monotonic_ns();
        json_object *object =
            message_decode((const uint8_t *)message->data, message->length, NULL);
        check(wire_batch_decode(shape->schema, json_member(object, "data"), body, length, &array,
                                NULL) == 0, "cannot decode");
        json_object_put(object);
        samples[i] = (double)(clock_monotonic_ns() - began);
        array.release(&array);
    }
    return percentile(samples, TIMES / 10, 0.5);
}

void bench_codec(const struct bench_options *options)
{
    static const size_t sizes[] = {64 << 10, 1 << 20, 4 << 20};

    (void)options;
    puts("one batch in memory, microseconds\n                        encode    decode");
    for (int number = 0; number < SHAPES; number++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            const struct shape shape = make_shape(number, sizes[i]);
            _cleanup_buffer_ struct buffer message = BUFFER_INIT(1 << 20);
            double encoded = encode(&shape, &message);
            printf("  %-7s %5zu KiB  %8.1f  %8.1f\n", shape_names[number], sizes[i] >> 10,
                   encoded / 1e3, decode(&shape, &message) / 1e3);
        }
    FILE *python = popen("python3 -", "w");
    check(python != NULL, "cannot start python3");
    (void)fputs(arrow_program, python);
    if (pclose(python) != 0)
        puts("  Arrow IPC: python3 failed");
}
