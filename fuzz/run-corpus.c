/*
 * Runs a fuzz target over files, without a fuzzer: `make check` does so with fuzz/corpus/<target>, that the targets
 * never rot and what once was found stays found. Other files can be given as arguments. TAP on standard output.
 */
#include <dirent.h>
#include <string.h>

#include "core/base/atomic-file.h"
#include "fuzz.h"

#define LONGEST_INPUT (16u << 20)

static unsigned number;

static int run_file(const char *path)
{
    size_t length;
    char *text = read_whole_file(path, LONGEST_INPUT, &length, NULL);

    number++;
    if (text == NULL) {
        printf("not ok %u - cannot read %s\n", number, path);
        return -1;
    }
    /* A copy of exactly its length: a sanitizer sees any step beyond. */
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, text, length);
    free(text);
    (void)LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    printf("ok %u - %s\n", number, path);
    fflush(stdout);
    return 0;
}

static int run_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), result = 0;
    char path[4096];

    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            result |= run_file(path);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    if (number > 0)
        return result;
    printf("Bail out! no corpus in %s\n", folder);
    return -1;
}

/* "run-message" → fuzz/corpus/message of the source tree */
static int run_corpus(const char *program)
{
    const char *source = getenv("top_srcdir"), *dash = strrchr(program, '-');
    char folder[2048];

    snprintf(folder, sizeof folder, "%s/fuzz/corpus/%s", source == NULL ? "." : source,
             dash == NULL ? program : dash + 1);
    return run_folder(folder);
}

int main(int argc, char **argv)
{
    int result = 0;

    for (int i = 1; i < argc; i++)
        result |= run_file(argv[i]);
    if (argc < 2)
        result = run_corpus(argv[0]);
    printf("1..%u\n", number);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
