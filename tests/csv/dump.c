/*
 * Writes a random table with csv.writer, and what its cells are beside it, for the tests that read
 * it back:
 *
 *     dump SEED ROWS CONFIG OUT.csv OUT.expected [no-nul]
 *
 * A second and further file of the table goes to OUT.csv.2 and so on. The expected file has a line
 * a row: cells separated by spaces, "-" for NULL, else a letter (t text, i integer, f double, d
 * decimal, s timestamp, b boolean, x binary) and the value, text and binary in hex. Columns are in
 * the order of their names. With the encodings ascii and latin-1 texts have only characters of
 * theirs; with no-nul no text has a NUL byte. If the writer fails, its message is on stderr.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/fixture.h"

enum { COLUMNS = 7, TEXT_MAX = 60 };

static uint64_t state;
static uint32_t last_character = 0x10ffff; /* of the encoding */
static bool no_nul;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Whether a piece may be in a text. */
static bool is_allowed(const char *text)
{
    if (no_nul && text[0] == '\0')
        return false;
    if ((unsigned char)text[0] < 0x80)
        return true;
    return strcmp(text, "é") == 0 ? last_character >= 0xe9 : last_character > 0xff;
}

/* Text of pieces that readers stumble over. */
static char *random_text(size_t *size)
{
    static const struct {
        const char *text;
        size_t size;
    } pieces[] = {{",", 1},
                  {"\"", 1},
                  {"\n", 1},
                  {"\r", 1},
                  {"\r\n", 2},
                  {"\t", 1},
                  {";", 1},
                  {" ", 1},
                  {"'", 1},
                  {"\\", 1},
                  {"\0", 1},
                  {"ž", 2},
                  {"😀", 4},
                  {"\"\"", 2},
                  {"NULL", 4},
                  {"é", 2},
                  {"-1e5", 4},
                  {"=1+2", 4},
                  {"abcdefghijklmnop", 16},
                  {"\\N", 2}};
    char *text = malloc(TEXT_MAX);
    require(text != NULL);
    *size = 0;
    for (uint64_t count = random_number() % 8; count > 0 && *size < TEXT_MAX - 16; count--) {
        size_t piece = random_number() % (sizeof pieces / sizeof pieces[0]);
        if (!is_allowed(pieces[piece].text))
            continue;
        memcpy(text + *size, pieces[piece].text, pieces[piece].size);
        *size += pieces[piece].size;
    }
    return text;
}

struct table {
    int64_t rows;
    char **texts;
    size_t *sizes;
    int64_t *integers;
    double *doubles;
    int64_t *decimals; /* two words each */
    int64_t *times;
    char *booleans; /* '0' and '1' */
    char *binaries; /* 4 bytes each */
    char *valid[COLUMNS];
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    require(memory != NULL);
    return memory;
}

static double random_double(void)
{
    uint64_t bits = random_number();
    double value;
    memcpy(&value, &bits, sizeof value);
    return value - value == 0 ? value : 0.5;
}

static void make_table(struct table *table, int64_t rows)
{
    size_t count = (size_t)rows;
    table->rows = rows;
    table->texts = allocate(count, sizeof *table->texts);
    table->sizes = allocate(count, sizeof *table->sizes);
    table->integers = allocate(count, 8);
    table->doubles = allocate(count, 8);
    table->decimals = allocate(count, 16);
    table->times = allocate(count, 8);
    table->booleans = allocate(count + 1, 1);
    table->binaries = allocate(count, 4);
    for (int i = 0; i < COLUMNS; i++)
        table->valid[i] = allocate(count + 1, 1);
    for (size_t row = 0; row < count; row++) {
        for (int i = 0; i < COLUMNS; i++)
            table->valid[i][row] = random_number() % 5 == 0 ? '0' : '1';
        table->texts[row] = table->valid[0][row] == '1' ? random_text(&table->sizes[row]) : NULL;
        table->integers[row] = (int64_t)(random_number() >> (random_number() % 64));
        table->doubles[row] =
            random_number() % 2 ? random_double() : (double)(random_number() % 1000000) / 100;
        table->decimals[2 * row] = (int64_t)random_number() >> (random_number() % 64);
        table->decimals[2 * row + 1] = table->decimals[2 * row] >> 63;
        table->times[row] = (int64_t)(random_number() % 4000000000000000) - 1000000000000000;
        table->booleans[row] = random_number() % 2 ? '1' : '0';
        uint32_t bytes = (uint32_t)random_number();
        memcpy(table->binaries + 4 * row, &bytes, 4);
    }
}

static void print_hex(FILE *file, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fprintf(file, "%02x", (unsigned char)data[i]);
}

static void print_cell(const struct table *table, int64_t row, int column, FILE *file)
{
    if (table->valid[column][row] == '0') {
        fputc('-', file);
        return;
    }
    fputc("tifdsbx"[column], file);
    switch (column) {
    case 0:
        print_hex(file, table->texts[row], table->sizes[row]);
        return;
    case 1:
        fprintf(file, "%" PRId64, table->integers[row]);
        return;
    case 2:
        fprintf(file, "%a", table->doubles[row]);
        return;
    case 3:
        fprintf(file, "%" PRId64, table->decimals[2 * row]);
        return;
    case 4:
        fprintf(file, "%" PRId64, table->times[row]);
        return;
    case 5:
        fputc(table->booleans[row], file);
        return;
    default:
        print_hex(file, table->binaries + 4 * row, 4);
    }
}

static void print_expected(const struct table *table, FILE *file)
{
    for (int64_t row = 0; row < table->rows; row++)
        for (int column = 0; column < COLUMNS; column++) {
            print_cell(table, row, column, file);
            fputc(column + 1 < COLUMNS ? ' ' : '\n', file);
        }
}

static struct ArrowArray *make_batch(const struct table *table)
{
    struct ArrowArray *batch = array_nested(NULL, table->rows, NULL, 0);
    array_add(batch,
              array_text((const char *const *)table->texts, table->sizes, table->rows, false, 0));
    array_add(batch, array_fixed(table->integers, 8, table->rows, table->valid[1], 0));
    array_add(batch, array_fixed(table->doubles, 8, table->rows, table->valid[2], 0));
    array_add(batch, array_fixed(table->decimals, 16, table->rows, table->valid[3], 0));
    array_add(batch, array_fixed(table->times, 8, table->rows, table->valid[4], 0));
    array_add(batch, array_bits(table->booleans, table->valid[5], 0));
    array_add(batch, array_fixed(table->binaries, 4, table->rows, table->valid[6], 0));
    return batch;
}

static void free_table(struct table *table)
{
    for (int64_t row = 0; row < table->rows; row++)
        free(table->texts[row]);
    for (int i = 0; i < COLUMNS; i++)
        free(table->valid[i]);
    free(table->texts);
    free(table->sizes);
    free(table->integers);
    free(table->doubles);
    free(table->decimals);
    free(table->times);
    free(table->booleans);
    free(table->binaries);
}

static int write_file(const char *path, const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(data, 1, size, file) == size;
    return file != NULL && fclose(file) == 0 && written ? 0 : -1;
}

static int write_parts(const struct fixture *fixture, const char *path)
{
    for (size_t i = 0; i < fixture->part_count; i++) {
        char name[4096];
        snprintf(name, sizeof name, i == 0 ? "%s" : "%s.%zu", path, i + 1);
        if (write_file(name, fixture->parts[i].text, fixture->parts[i].size) < 0)
            return -1;
    }
    return 0;
}

static void read_arguments(int argc, char **argv)
{
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
    no_nul = argc == 7 && strcmp(argv[6], "no-nul") == 0;
    if (strstr(argv[3], "\"ascii\"") != NULL)
        last_character = 0x7f;
    if (strstr(argv[3], "\"latin-1\"") != NULL)
        last_character = 0xff;
}

int main(int argc, char **argv)
{
    static const char *const formats[COLUMNS] = {"u", "l", "g", "d:38,4", "tsu:", "b", "w:4"};
    static const char *const names[COLUMNS] = {"a text", "b,integer", "c\"double", "d",
                                               "e",      "f",         "g"};
    if (argc != 6 && argc != 7)
        return 2;
    read_arguments(argc, argv);
    struct table table;
    make_table(&table, strtoll(argv[2], NULL, 10));

    struct fixture fixture;
    fixture_init(&fixture, argv[3]);
    for (int i = 0; i < COLUMNS; i++)
        schema_add(fixture.schema, schema_new(formats[i], names[i]));
    struct ArrowArray *batch = make_batch(&table);
    fixture.batches = &batch;
    fixture.batch_count = 1;
    fixture_run(&fixture);
    if (fixture.result != 0)
        fprintf(stderr, "%s\n", fixture.message);
    FILE *expected = fopen(argv[5], "wb");
    int failed = fixture.result != 0 || expected == NULL || write_parts(&fixture, argv[4]) < 0;
    if (expected != NULL)
        print_expected(&table, expected);
    failed |= expected == NULL || fclose(expected) != 0;
    fixture_clear(&fixture);
    free_table(&table);
    return failed;
}
