/* The standard error of a command (plugins/exec/words.h): its own words, the worker's log over several links, the relay's exit code. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugins/exec/words.h"

#define NONCE "0123456789abcdef"
#define BEGIN "\nosiris-log " NONCE "\n"
#define END(code) "\nosiris-exit " NONCE " " code "\n"
#define PATIENCE_MS 20000

static char heard[32768]; /* what was logged, one line after the other */

static void note_log(const struct osiris_host *host, int32_t level, const char *message)
{
    (void)host;
    (void)level;
    strncat(heard, message, sizeof heard - strlen(heard) - 2);
    strcat(heard, "\n");
}

static const struct osiris_host host = {.log = note_log};

struct log_reader {
    struct log log;
    int from;
};

static void open_log(struct log_reader *reader)
{
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_ge(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_ge(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    *reader = (struct log_reader){.log.diagnostics = ends[1], .from = ends[0]};
}

static void close_log(struct log_reader *reader)
{
    (void)close(reader->log.diagnostics);
    (void)close(reader->from);
}

static void expect_log(const struct log_reader *reader, const char *expected)
{
    char text[65536];
    ssize_t got = read(reader->from, text, sizeof text - 1);

    text[got < 0 ? 0 : got] = '\0';
    ck_assert_str_eq(text, expected);
}

/* What a command prints, `step` bytes at a time, over one link; returns the relay's exit code. */
static int print(struct log_reader *reader, const char *printed, size_t step, char tail[WORDS_TAIL])
{
    struct words words;
    int ends[2];
    bool is_over;

    heard[0] = '\0';
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(words_start(&words, &host, &reader->log, ends[0], NONCE), 0);
    for (size_t left = strlen(printed); left > 0;) {
        size_t part = left < step ? left : step;
        ck_assert_int_eq(write(ends[1], printed, part), (ssize_t)part);
        printed += part;
        left -= part;
    }
    (void)close(ends[1]);
    words_drain(&words, PATIENCE_MS);
    int code = words_wait(&words, 0, &is_over);
    ck_assert(is_over);
    words_read_tail(&words, tail);
    words_end(&words);
    return code;
}

START_TEST(test_three_parts)
{
    static const char printed[] = "warning: one\r\nwarning: two" BEGIN "a line\n\nand another\n" END("7") "good bye\n";
    char tail[WORDS_TAIL];

    for (size_t step = 1; step < sizeof printed; step++) {
        struct log_reader reader;
        open_log(&reader);
        ck_assert_int_eq(log_begin_link(&reader.log), 0);
        ck_assert_int_eq(print(&reader, printed, step, tail), 7);
        expect_log(&reader, "a line\n\nand another\n");
        ck_assert_str_eq(tail, "warning: one; warning: two; good bye");
        ck_assert_str_eq(heard, "warning: one\nwarning: two\ngood bye\n");
        close_log(&reader);
    }
}
END_TEST

START_TEST(test_a_last_line_without_an_end)
{
    struct log_reader reader;
    char tail[WORDS_TAIL];

    open_log(&reader);
    ck_assert_int_eq(print(&reader, BEGIN "no end" END("70"), 3, tail), 70);
    expect_log(&reader, "no end\n");
    close_log(&reader);
}
END_TEST

START_TEST(test_what_only_looks_like_a_mark)
{
    static const char *const lines[] = {
        "osiris-exit 0123 7\n", "osiris-exit " NONCE "\n", "x osiris-exit " NONCE " 7\n", "osiris-\nosiris-exit\n", "\n\n\nosiris-exit 0\n",
        "osiris-log " NONCE "\n",
    };
    char printed[256], tail[WORDS_TAIL];

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        for (size_t step = 1; step < 30; step++) {
            struct log_reader reader;
            open_log(&reader);
            snprintf(printed, sizeof printed, "%s%slast\n%s", BEGIN, lines[i], END("0"));
            ck_assert_int_eq(print(&reader, printed, step, tail), 0);
            snprintf(printed, sizeof printed, "%slast\n", lines[i]);
            expect_log(&reader, printed);
            close_log(&reader);
        }
    /* Nor does another's mark begin the log. */
    struct log_reader reader;
    open_log(&reader);
    ck_assert_int_eq(print(&reader, "osiris-log\nosiris-log 1\nosiris-exit " NONCE " 3\n", 5, tail), -1);
    expect_log(&reader, "");
    close_log(&reader);
}
END_TEST

/* A relay prints the log from the offset on that it is asked for. */
static void link_of(struct log_reader *reader, const char *whole, size_t until, const char *last_words, size_t step)
{
    char printed[65536], tail[WORDS_TAIL];
    size_t offset = (size_t)log_begin_link(&reader->log);

    ck_assert_uint_le(offset, until);
    snprintf(printed, sizeof printed, "%s%.*s%s", BEGIN, (int)(until - offset), whole + offset, last_words);
    ck_assert_int_eq(print(reader, printed, step, tail), -1);
}

START_TEST(test_links_that_break)
{
    static const char whole[] = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
    static const char *const last_words[] = {"", "x\n", "Connection closed.\n", "two\n", "four\nfive\nsix\n"};

    for (size_t i = 0; i < sizeof last_words / sizeof last_words[0]; i++)
        for (size_t cut = 0; cut < sizeof whole; cut++) {
            struct log_reader reader;
            char expected[256];
            open_log(&reader);
            link_of(&reader, whole, cut, last_words[i], 4);
            /* A link that says nothing new, and one that says the rest. */
            link_of(&reader, whole, cut, "", 4);
            link_of(&reader, whole, strlen(whole), "", 4);
            /* The command's last words are there, unless they are how the log goes on. */
            size_t common = 0;
            while (last_words[i][common] != '\0' && last_words[i][common] == whole[cut + common])
                common++;
            snprintf(expected, sizeof expected, "%.*s%s%s", (int)cut, whole, last_words[i], whole + cut + common);
            expect_log(&reader, expected);
            close_log(&reader);
        }
}
END_TEST

START_TEST(test_a_long_log)
{
    static char whole[40000], expected[40100];
    struct log_reader reader;

    for (size_t i = 0; i < sizeof whole - 1; i++)
        whole[i] = i % 50 == 49 ? '\n' : (char)('a' + (i / 50 + i) % 26);
    open_log(&reader);
    for (size_t until = 0; until < sizeof whole - 1; until += 3777)
        link_of(&reader, whole, until, "", 4096);
    link_of(&reader, whole, sizeof whole - 1, "the end", 4096);
    snprintf(expected, sizeof expected, "%sthe end", whole);
    expect_log(&reader, expected);
    ck_assert_uint_le(reader.log.length, LOG_REMEMBERED);
    close_log(&reader);
}
END_TEST

START_TEST(test_many_words)
{
    static char printed[20000];
    struct log_reader reader;
    char tail[WORDS_TAIL];

    for (int i = 0; i < 500; i++)
        snprintf(printed + strlen(printed), sizeof printed - strlen(printed), "warning %03d\n", i);
    open_log(&reader);
    ck_assert_int_eq(print(&reader, printed, 1000, tail), -1);
    ck_assert_str_eq(tail, "warning 495; warning 496; warning 497; warning 498; warning 499");
    close_log(&reader);
}
END_TEST

START_TEST(test_nobody_reads_the_log)
{
    struct log_reader reader;
    char tail[WORDS_TAIL];

    (void)signal(SIGPIPE, SIG_IGN);
    open_log(&reader);
    (void)close(reader.from);
    ck_assert_int_eq(print(&reader, BEGIN "a line\nanother\n" END("0"), 8, tail), 0);
    ck_assert_int_eq(reader.log.diagnostics, -1);
}
END_TEST

UNIT_MAIN("words", test_three_parts, test_a_last_line_without_an_end, test_what_only_looks_like_a_mark, test_links_that_break,
          test_a_long_log, test_many_words, test_nobody_reads_the_log)
