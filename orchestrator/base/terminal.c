/* Texts for terminals; see terminal.h. */
#include "orchestrator/base/terminal.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "core/base/buffer.h"
#include "core/base/utf8.h"

#define TEXT_MAXIMUM ((size_t)256 << 20)
#define INDENTATION "    "

/* Characters. */

static bool is_bidirectional(const unsigned char *c, size_t bytes)
{
    if (bytes == 2)
        return c[0] == 0xd8 && c[1] == 0x9c;
    return bytes == 3 && c[0] == 0xe2 &&
           ((c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xaa && c[2] <= 0xae))) ||
            (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

size_t terminal_character(const char *at, const char *end, bool *harmless)
{
    const unsigned char *c = (const unsigned char *)at;
    size_t bytes = 1, most = (size_t)(end - at) < 4 ? (size_t)(end - at) : 4;

    while (bytes < most && !utf8_is_valid(at, bytes))
        bytes++;
    if (!utf8_is_valid(at, bytes)) {
        *harmless = false;
        return 1;
    }
    bool is_control = bytes == 1 ? c[0] < 0x20 || c[0] == 0x7f : bytes == 2 && c[0] == 0xc2 && c[1] < 0xa0;
    *harmless = !is_control && !is_bidirectional(c, bytes);
    return bytes;
}

static void append_text(struct buffer *out, const char *text, size_t length, const char *line_break)
{
    const char *end = text + length;

    while (text < end) {
        bool harmless;
        size_t bytes = terminal_character(text, end, &harmless);
        if (harmless)
            buffer_append(out, text, bytes);
        else if (*text == '\n')
            buffer_append_text(out, line_break);
        else
            buffer_append_char(out, *text == '\t' ? ' ' : '?');
        text += bytes;
    }
}

char *terminal_lines(const char *text)
{
    _cleanup_buffer_ struct buffer out = BUFFER_INIT(TEXT_MAXIMUM);

    append_text(&out, text, strlen(text), "\n" INDENTATION);
    return buffer_steal(&out);
}

/* Formats. */

/* One parsed conversion. */
struct conversion {
    bool left, zero;
    int width, precision; /* -1: none */
    char length;          /* 'l', 'L' (ll), 'z', or 0 */
    char kind;
};

/* va_list is an array on some machines, so it is passed in a struct. */
struct taker {
    va_list arguments;
};

static int read_number(const char **format, struct taker *taker)
{
    int number = 0;

    if (**format == '*') {
        ++*format;
        return va_arg(taker->arguments, int);
    }
    while (isdigit((unsigned char)**format))
        number = number * 10 + *(*format)++ - '0';
    return number;
}

/* After the '%'. */
static struct conversion read_conversion(const char **format, struct taker *taker)
{
    struct conversion conversion = {.precision = -1};

    for (; **format == '-' || **format == '0'; ++*format) {
        conversion.left |= **format == '-';
        conversion.zero |= **format == '0';
    }
    conversion.width = read_number(format, taker);
    if (**format == '.') {
        ++*format;
        conversion.precision = read_number(format, taker);
    }
    for (; **format == 'l' || **format == 'z'; ++*format)
        conversion.length = conversion.length == 'l' ? 'L' : **format;
    conversion.kind = **format;
    if (conversion.kind != '\0')
        ++*format;
    return conversion;
}

static void append_padded(struct buffer *out, const struct conversion *conversion, const char *text, size_t length)
{
    size_t blanks = conversion->width > 0 && (size_t)conversion->width > length ? (size_t)conversion->width - length : 0;

    for (size_t i = 0; !conversion->left && i < blanks; i++)
        buffer_append_char(out, conversion->zero ? '0' : ' ');
    buffer_append(out, text, length);
    for (size_t i = 0; conversion->left && i < blanks; i++)
        buffer_append_char(out, ' ');
}

static void append_string(struct buffer *out, const struct conversion *conversion, const char *text)
{
    _cleanup_buffer_ struct buffer clean = BUFFER_INIT(TEXT_MAXIMUM);
    size_t length = conversion->precision < 0 ? strlen(text) : strnlen(text, (size_t)conversion->precision);

    append_text(&clean, text, length, " ");
    append_padded(out, conversion, clean.data == NULL ? "" : clean.data, clean.length);
}

static void append_integer(struct buffer *out, const struct conversion *conversion, struct taker *taker)
{
    bool is_signed = conversion->kind == 'd';
    char text[32];

    if (conversion->length == 'L')
        snprintf(text, sizeof text, is_signed ? "%lld" : "%llu", va_arg(taker->arguments, long long));
    else if (conversion->length == 'l')
        snprintf(text, sizeof text, is_signed ? "%ld" : "%lu", va_arg(taker->arguments, long));
    else if (conversion->length == 'z')
        snprintf(text, sizeof text, is_signed ? "%td" : "%zu", va_arg(taker->arguments, ptrdiff_t));
    else
        snprintf(text, sizeof text, is_signed ? "%d" : "%u", va_arg(taker->arguments, int));
    append_padded(out, conversion, text, strlen(text));
}

static void append_conversion(struct buffer *out, const struct conversion *conversion, struct taker *taker)
{
    char text[352]; /* the longest double */

    switch (conversion->kind) {
    case 's':
        append_string(out, conversion, va_arg(taker->arguments, const char *));
        break;
    case 'd':
    case 'u':
        append_integer(out, conversion, taker);
        break;
    case 'f':
        snprintf(text, sizeof text, "%.*f", conversion->precision < 0 ? 6 : conversion->precision,
                 va_arg(taker->arguments, double));
        append_padded(out, conversion, text, strlen(text));
        break;
    case 'c':
        text[0] = (char)va_arg(taker->arguments, int);
        append_padded(out, conversion, text, 1);
        break;
    default:
        buffer_append_char(out, '%');
    }
}

char *terminal_format(const char *format, va_list arguments)
{
    _cleanup_buffer_ struct buffer out = BUFFER_INIT(TEXT_MAXIMUM);
    struct taker taker;

    va_copy(taker.arguments, arguments);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        buffer_append(&out, format, plain);
        format += plain;
        if (*format == '\0')
            break;
        format++;
        const struct conversion conversion = read_conversion(&format, &taker);
        append_conversion(&out, &conversion, &taker);
    }
    va_end(taker.arguments);
    return buffer_steal(&out);
}

int terminal_print(FILE *stream, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *text = terminal_format(format, arguments);
    va_end(arguments);
    return text == NULL || fputs(text, stream) < 0 ? 0 : (int)strlen(text);
}
