/* Texts for terminals (orchestrator/base/terminal.h): formats as printf's, and nothing harmful in what is filled in. */
#include "unit.h"

#include <stdarg.h>
#include <string.h>

#include "orchestrator/base/terminal.h"

static void expect(const char *expected, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void expect(const char *expected, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *got = terminal_format(format, arguments);
    va_end(arguments);
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, expected);
    free(got);
}

START_TEST(test_formats)
{
    expect("100 % of -5, 7, 18446744073709551615, -9223372036854775807, 3 x", "100 %% of %d, %u, %lu, %lld, %zu %c", -5, 7u,
           18446744073709551615ul, -9223372036854775807ll, (size_t)3, 'x');
    expect("[  ab] [ab  ] [ab] [a]", "[%4s] [%-4s] [%1s] [%.1s]", "ab", "ab", "ab", "ab");
    expect("[   ab] [ab   ] [abc]", "[%*s] [%-*s] [%.*s]", 5, "ab", 5, "ab", 3, "abcd");
    expect("[007] [  7] [7  ] [   1.50] [2.000000]", "[%03d] [%3d] [%-3zu] [%7.2f] [%f]", 7, 7, (size_t)7, 1.5, 2.0);
    expect("", "%s", "");
}
END_TEST

START_TEST(test_what_is_harmful)
{
    expect("a?[31mb? c d? ? é€😀\ne", "%s %s\n%s", "a\033[31mb\177\tc\nd\302\233 \r", "é€😀", "e");
    expect("????????????", "%s",
           "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069");
    expect("\u200b\u2070\u202f\u2065", "%s", "\u200b\u2070\u202f\u2065");
    /* No UTF-8: alone, cut short, overlong, a surrogate. */
    expect("?x ??x ?? ???", "%s", "\377x \342\200x \300\257 \355\240\200");
}
END_TEST

START_TEST(test_lines)
{
    char *got = terminal_lines("first\nosiris: second\tx\033");

    ck_assert_str_eq(got, "first\n    osiris: second x?");
    free(got);
}
END_TEST

UNIT_MAIN("terminal", test_formats, test_what_is_harmful, test_lines)
