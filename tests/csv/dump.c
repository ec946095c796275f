/*
 * Writes a random table with csv.writer, and what its cells are beside it, for tests/csv/differential.py:
 *
 *     dump SEED ROWS CONFIG OUT.csv OUT.expected
 *
 * The expected file has a line a row: cells separated by spaces, "-" for NULL, else a letter (t text, i integer,
 * f double, d decimal, s timestamp) and the value, text in hex. Columns are in the order of their names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv/fixture.h"

enum { COLUMNS = 5, TEXT_MAX = 60 };

static uint64_t state;

static uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Text of pieces that readers stumble over. */
static char *random_text(size_t *size)
{
    static const struct {
        const char *text;
        size_t size;
    } pieces[] = {{",", 1},  {"\"", 1}, {"\n", 1},  {"\r", 1},   {"\r\n", 2}, {"\t", 1}, {";", 1},
                  {" ", 1},  {"'", 1},  {"\\", 1},  {"\0", 1},   {"ž", 2},    {"😀", 4}, {"\"\"", 2},
                  {"NULL", 4}, {"-1e5", 4}, {"=1+2", 4}, {"abcdefghijklmnop", 16}, {"\\N", 2}};
    char *text = malloc(TEXT_MAX);
    require(text != NULL);
    *size = 0;
    for (uint64_t count = random_number() % 8; count > 0 && *size < TEXT_MAX - 16; count--) {
        size_t piece = random_number() % (sizeof pieces / sizeof pieces[0]);
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
    for (int i = 0; i < COLUMNS; i++)
        table->valid[i] = allocate(count + 1, 1);
    for (size_t row = 0; row < count; row++) {
        for (int i = 0; i < COLUMNS; i++)
            table->valid[i][row] = random_number() % 5 == 0 ? '0' : '1';
        table->texts[row] = table->valid[0][row] == '1' ? random_text(&table->sizes[row]) : NULL;
        table->integers[row] = (int64_t)(random_number() >> (random_number() % 64));
        table->doubles[row] = random_number() % 2 ? random_double()
                                                  : (double)(random_number() % 1000000) / 100;
        table->decimals[2 * row] = (int64_t)random_number() >> (random_number() % 64);
        table->decimals[2 * row + 1] = table->decimals[2 * row] >> 63;
        table->times[row] = (int64_t)(random_number() % 4000000000000000) - 1000000000000000;
    }
}

static void print_expected(const struct table *table, FILE *file)
{
    for (int64_t row = 0; row < table->rows; row++) {
        if (table->texts[row] == NULL) {
            fputs("-", file);
        } else {
            fputc('t', file);
            for (size_t i = 0; i < table->sizes[row]; i++)
                fprintf(file, "%02x", (unsigned char)table->texts[row][i]);
        }
        const char *const kinds = "tifds";
        for (int i = 1; i < COLUMNS; i++) {
            fputc(' ', file);
            if (table->valid[i][row] == '0')
                fputc('-', file);
            else if (i == 2)
                fprintf(file, "f%a", table->doubles[row]);
            else
                fprintf(file, "%c%" PRId64, kinds[i],
                        i == 1 ? table->integers[row]
                        : i == 3 ? table->decimals[2 * row] : table->times[row]);
        }
        fputc('\n', file);
    }
}

static struct ArrowArray *make_batch(const struct table *table)
{
    struct ArrowArray *batch = array_nested(NULL, table->rows, NULL, 0);
    array_add(batch, array_text((const char *const *)table->texts, table->sizes, table->rows, false,
                                0));
    array_add(batch, array_fixed(table->integers, 8, table->rows, table->valid[1], 0));
    array_add(batch, array_fixed(table->doubles, 8, table->rows, table->valid[2], 0));
    array_add(batch, array_fixed(table->decimals, 16, table->rows, table->valid[3], 0));
    array_add(batch, array_fixed(table->times, 8, table->rows, table->valid[4], 0));
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
}

int main(int argc, char **argv)
{
    static const char *const formats[COLUMNS] = {"u", "l", "g", "d:38,4", "tsu:"};
    static const char *const names[COLUMNS] = {"a text", "b,integer", "c\"double", "d", "e"};
    if (argc != 6)
        return 2;
    state = strtoull(argv[1], NULL, 10) * 2654435761u + 88172645463325252u;
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
    if (fixture.result != 0) {
        fprintf(stderr, "%s\n", fixture.message);
        return 1;
    }
    FILE *csv = fopen(argv[4], "wb"), *expected = fopen(argv[5], "wb");
    if (csv == NULL || expected == NULL ||
        fwrite(fixture.text, 1, fixture.size, csv) != fixture.size)
        return 1;
    print_expected(&table, expected);
    int failed = fclose(csv) != 0 || fclose(expected) != 0;
    fixture_clear(&fixture);
    free_table(&table);
    return failed;
}
