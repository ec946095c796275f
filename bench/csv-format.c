/*
 * How fast csv.writer formats: batches of orders from memory to /dev/null (or a file), no database.
 * Beside it a writer on snprintf, the way such a thing is usually written, on the same batches.
 *
 *     bench/csv-format [FILE [SHAPE]]
 *
 * Without SHAPE it takes all of them. Prints rows/s, MB/s and nanoseconds a row of one core (CPU time of the process).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <osiris/plugin.h>

extern const struct osiris_plugin osiris_plugin;

enum { ROWS = 16384, BATCHES = 128, COLUMNS_MAX = 12 };

__extension__ typedef __int128 wide;

/* A shape is a list of columns; its one batch is written again and again. */
struct shape {
    const char *name;
    const char *formats[COLUMNS_MAX + 1];
};

static const struct shape shapes[] = {
    /* id, customer, status, total, discount, created, updated, city, note */
    {"orders", {"l", "l", "u", "d:12,2", "d:5,2", "tsu:", "tsu:", "u", "T", NULL}},
    {"integers", {"l", "l", "i", "i", "l", "l", "i", "i", NULL}},
    {"decimals", {"d:12,2", "d:12,2", "d:12,2", "d:38,10", "d:12,2", "d:12,2", NULL}},
    {"doubles", {"g", "g", "g", "g", "g", "g", NULL}},
    {"timestamps", {"tsu:", "tsu:", "tsu:", "tsu:", "tdD", "tdD", NULL}},
    {"short text", {"u", "u", "u", "u", "u", "u", "u", "u", NULL}},
    {"long text", {"T", "T", "T", "T", NULL}},
};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void release_nothing(struct ArrowArray *array)
{
    array->release = NULL;
}

static void release_schema(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        abort();
    return memory;
}

static void fill_text(struct ArrowArray *array, bool is_long)
{
    static const char *const words[] = {"shipped",   "paid",     "new",
                                        "cancelled", "Brno",     "Ústí nad Labem",
                                        "Praha",     "Hradec Králové"};
    static const char sentence[] = "leave the parcel with the neighbour on the second floor please "
                                   "and ring twice before noon, thank you very much";
    int32_t *offsets = allocate((ROWS + 1) * sizeof *offsets);
    char *data = allocate((size_t)ROWS * 128);
    size_t size = 0;
    for (int i = 0; i < ROWS; i++) {
        uint64_t number = random_number();
        const char *text = is_long ? sentence : words[number % 8];
        /* A long text with a comma is one in ten. */
        size_t count = is_long ? (number % 10 == 0 ? 111 : 10 + number % 60) : strlen(text);
        memcpy(data + size, text, count);
        size += count;
        offsets[i + 1] = (int32_t)size;
    }
    array->n_buffers = 3;
    array->buffers[1] = offsets;
    array->buffers[2] = data;
}

static struct ArrowArray *make_array(const char *format, int column)
{
    struct ArrowArray *array = allocate(sizeof *array);
    *array = (struct ArrowArray){.length = ROWS, .n_buffers = 2, .release = release_nothing};
    array->buffers = allocate(3 * sizeof *array->buffers);
    if (format[0] == 'u' || format[0] == 'T') {
        fill_text(array, format[0] == 'T');
        return array;
    }
    wide *values = allocate(ROWS * sizeof *values);
    int64_t clock = 1767225600000000;
    for (int i = 0; i < ROWS; i++) {
        uint64_t number = random_number();
        clock += (int64_t)(number % 20000000);
        if (format[0] == 'd')
            values[i] = (wide)(number % 10000000);
        else if (format[0] == 'g')
            ((double *)values)[i] = (double)(number % 100000000) / (column % 2 ? 100 : 7);
        else if (strcmp(format, "tdD") == 0)
            ((int32_t *)values)[i] = 20000 + (int32_t)(number % 1000);
        else if (format[0] == 't')
            ((int64_t *)values)[i] = clock - clock % 1000000;
        else if (format[0] == 'i')
            ((int32_t *)values)[i] = (int32_t)(number % 100000);
        else
            ((int64_t *)values)[i] = column == 0 ? 5000000 + i : (int64_t)(number % 1000000);
    }
    array->buffers[1] = values;
    return array;
}

struct source {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    int given;
};

static int source_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    *out = ((struct source *)stream->private_data)->schema;
    return 0;
}

static int source_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct source *source = stream->private_data;
    *out = source->given++ < BATCHES ? source->batch : (struct ArrowArray){0};
    return 0;
}

static void source_init(struct source *source, const struct shape *shape)
{
    static const char *const names[COLUMNS_MAX] = {"a", "b", "c", "d", "e", "f",
                                                   "g", "h", "i", "j", "k", "l"};
    *source = (struct source){.schema = {.format = "+s", .name = "", .release = release_schema},
                              .batch = {.length = ROWS, .n_buffers = 1, .release = release_nothing}};
    source->schema.children = allocate(COLUMNS_MAX * sizeof(void *));
    source->batch.children = allocate(COLUMNS_MAX * sizeof(void *));
    source->batch.buffers = allocate(sizeof(void *));
    for (int i = 0; shape->formats[i] != NULL; i++) {
        struct ArrowSchema *schema = allocate(sizeof *schema);
        *schema = (struct ArrowSchema){.format = shape->formats[i][0] == 'T' ? "u" : shape->formats[i],
                                       .name = names[i],
                                       .release = release_schema};
        source->schema.children[source->schema.n_children++] = schema;
        source->batch.children[source->batch.n_children++] = make_array(shape->formats[i], i);
    }
}

/* The host: an output and defaults. */
static int output = -1;

static const char *host_string(const struct osiris_host *host, int32_t scope, const char *path,
                               const char *fallback)
{
    (void)host;
    (void)scope;
    return strcmp(path, "path") == 0 ? "out.csv" : fallback;
}

static int32_t host_boolean(const struct osiris_host *host, int32_t scope, const char *path,
                            int32_t fallback)
{
    (void)host;
    (void)scope;
    (void)path;
    return fallback;
}

static int64_t host_integer(const struct osiris_host *host, int32_t scope, const char *path,
                            int64_t fallback)
{
    (void)host;
    (void)scope;
    (void)path;
    return fallback;
}

static int32_t host_type(const struct osiris_host *host, int32_t scope, const char *path)
{
    (void)host;
    (void)scope;
    (void)path;
    return OSIRIS_ABSENT;
}

static int32_t host_cancelled(const struct osiris_host *host)
{
    (void)host;
    return 0;
}

static void host_error(const struct osiris_host *host, const struct osiris_error_report *report)
{
    (void)host;
    fprintf(stderr, "csv-format: %s\n", report->message);
    exit(1);
}

static int host_output(const struct osiris_host *host, const char *path,
                       const struct osiris_output_options *options, int *fd)
{
    (void)host;
    (void)path;
    (void)options;
    *fd = output;
    return 0;
}

static void write_with_driver(struct source *source)
{
    const struct osiris_host host = {.abi_version = OSIRIS_ABI_VERSION,
                                     .struct_size = sizeof host,
                                     .component = "csv.writer",
                                     .value_type = host_type,
                                     .get_string = host_string,
                                     .get_integer = host_integer,
                                     .get_boolean = host_boolean,
                                     .cancelled = host_cancelled,
                                     .error = host_error,
                                     .open_output = host_output};
    struct ArrowArrayStream stream = {
        .get_schema = source_schema, .get_next = source_next, .private_data = source};
    const struct osiris_input input = {"df", "memory", &stream};
    const struct osiris_driver *driver = osiris_plugin.drivers[0];
    void *state;
    source->given = 0;
    if (driver->open(&host, &state) != 0 || driver->run(state, &input, 1, NULL) != 0)
        exit(1);
    driver->close(state);
}

static int print_value(char *at, const char *format, const void *values, int row)
{
    int64_t value = ((const int64_t *)values)[row];
    switch (format[0]) {
    case 'd':
        value = (int64_t)((const wide *)values)[row];
        return strcmp(format, "d:38,10") == 0
                   ? sprintf(at, "%" PRId64 ".%010" PRId64 ",", value / 10000000000,
                             value % 10000000000)
                   : sprintf(at, "%" PRId64 ".%02" PRId64 ",", value / 100, value % 100);
    case 'g':
        return sprintf(at, "%.17g,", ((const double *)values)[row]);
    case 'i':
        return sprintf(at, "%" PRId32 ",", ((const int32_t *)values)[row]);
    case 'l':
        return sprintf(at, "%" PRId64 ",", value);
    default:
        break;
    }
    bool day = strcmp(format, "tdD") == 0;
    time_t seconds = day ? ((const int32_t *)values)[row] * (time_t)86400 : value / 1000000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return day ? sprintf(at, "%04d-%02d-%02d,", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday)
               : sprintf(at, "%04d-%02d-%02d %02d:%02d:%02d,", tm.tm_year + 1900, tm.tm_mon + 1,
                         tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static char *print_text(char *at, const struct ArrowArray *array, int row)
{
    const int32_t *offsets = array->buffers[1];
    const char *text = (const char *)array->buffers[2] + offsets[row];
    int size = offsets[row + 1] - offsets[row];
    bool quoted = false;
    for (int i = 0; i < size; i++)
        quoted |= text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    if (quoted)
        *at++ = '"';
    for (int i = 0; i < size; i++) {
        if (text[i] == '"')
            *at++ = '"';
        *at++ = text[i];
    }
    if (quoted)
        *at++ = '"';
    *at++ = ',';
    return at;
}

static void write_with_printf(struct source *source)
{
    static char buffer[(1 << 20) + 8192];
    char *at = buffer;
    for (int batch = 0; batch < BATCHES; batch++)
        for (int row = 0; row < ROWS; row++) {
            for (int64_t i = 0; i < source->batch.n_children; i++) {
                const struct ArrowArray *array = source->batch.children[i];
                const char *format = source->schema.children[i]->format;
                at = format[0] == 'u' ? print_text(at, array, row)
                                      : at + print_value(at, format, array->buffers[1], row);
            }
            at[-1] = '\n';
            if (at - buffer > 1 << 20 || (batch == BATCHES - 1 && row == ROWS - 1)) {
                if (write(output, buffer, (size_t)(at - buffer)) != at - buffer)
                    exit(1);
                at = buffer;
            }
        }
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double best_seconds(void (*writer)(struct source *), struct source *source)
{
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        /* EINVAL: a device has nothing to cut off. */
        if (lseek(output, 0, SEEK_SET) < 0 || (ftruncate(output, 0) < 0 && errno != EINVAL))
            exit(1);
        double begin = cpu_seconds();
        writer(source);
        double taken = cpu_seconds() - begin;
        best = taken < best ? taken : best;
    }
    return best;
}

/* Bytes that the driver makes of the shape, counted in a scratch file's length. */
static double output_bytes(struct source *source)
{
    int saved = output;
    FILE *scratch = tmpfile();
    if (scratch == NULL)
        exit(1);
    output = fileno(scratch);
    write_with_driver(source);
    double bytes = (double)lseek(output, 0, SEEK_END);
    fclose(scratch);
    output = saved;
    return bytes;
}

int main(int argc, char **argv)
{
    output = open(argc > 1 ? argv[1] : "/dev/null", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (output < 0) {
        perror("csv-format");
        return 1;
    }
    printf("%-12s %8s %12s %10s %8s %12s %10s %8s\n", "shape", "B/row", "rows/s", "MB/s", "ns/row",
           "printf rows", "MB/s", "ratio");
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct source source;
        if (argc > 2 && strcmp(argv[2], shapes[i].name) != 0)
            continue;
        source_init(&source, &shapes[i]);
        double bytes = output_bytes(&source), rows = (double)ROWS * BATCHES;
        double ours = best_seconds(write_with_driver, &source);
        double printf_seconds = best_seconds(write_with_printf, &source);
        printf("%-12s %8.1f %12.0f %10.0f %8.1f %12.0f %10.0f %8.1f\n", shapes[i].name, bytes / rows,
               rows / ours, bytes / ours / 1e6, ours / rows * 1e9, rows / printf_seconds,
               bytes / printf_seconds / 1e6, printf_seconds / ours);
    }
    return 0;
}
