/* Reporting errors of a YAML file; see yaml-document.h. */
#include "orchestrator/oml/yaml-document.h"

#include <stdarg.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/redact.h"

/* Whether a line contains a key with a secret's name. There is no tree if the file cannot be parsed. */
static bool line_names_a_secret(const char *line, size_t length)
{
    static const char word_end[] = " \t\"',{}[]?-";

    for (const char *colon = memchr(line, ':', length); colon != NULL;
         colon = memchr(colon + 1, ':', length - (size_t)(colon + 1 - line))) {
        const char *end = colon;
        while (end > line && strchr(" \t\"'", end[-1]) != NULL)
            end--;
        const char *start = end;
        while (start > line && (start[-1] == '-' || strchr(word_end, start[-1]) == NULL))
            start--;
        _cleanup_free_ char *word = strndup(start, (size_t)(end - start));
        if (redact_key_is_secret(word))
            return true;
    }
    return false;
}

/* Whether the line, or the one before it, whose value may continue, may contain a secret. */
static bool may_show_a_secret(const struct yaml_document *document, unsigned line)
{
    const char *at = document->source, *end = at == NULL ? at : at + document->source_length;

    for (unsigned i = 1; at != NULL && at < end && i <= line; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop == NULL ? end : stop) - at);
        if (i + 1 >= line && line_names_a_secret(at, length))
            return true;
        at = stop == NULL ? NULL : stop + 1;
    }
    return false;
}

void yaml_problem(const struct yaml_document *document, struct diagnostics *diagnostics,
                  const char *type, const struct source_location *where, const char *hint,
                  const char *format, ...)
{
    const struct source_location file = {.file = document->path};
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *message = memory_vformat(format, arguments);
    va_end(arguments);
    if (where == NULL)
        where = &file;
    bool hidden = diagnostics_are_full(diagnostics) || may_show_a_secret(document, where->line);
    diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, type, where, hidden ? NULL : document->source,
                    document->source_length, NULL, hint, "%s", message);
}
