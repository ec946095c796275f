/* The log over several links; see log.h. */
#include "log.h"

#include <string.h>

int64_t log_begin_link(struct log *log)
{
    log->again = 0;
    return log->begin;
}

int log_is_new(struct log *log, char byte)
{
    if (log->again < log->length) {
        if (log->bytes[log->again] == byte) {
            log->again++;
            return 0;
        }
        log->length = log->again;
    }
    if (log->length == sizeof log->bytes) {
        const size_t half = sizeof log->bytes / 2;
        memmove(log->bytes, log->bytes + half, sizeof log->bytes - half);
        log->begin += (int64_t)half;
        log->length -= half;
    }
    log->bytes[log->length++] = byte;
    log->again = log->length;
    return 1;
}

void log_read_tail(const struct log *log, char *text, size_t size)
{
    size_t end = log->length, begin;

    while (end > 0 && log->bytes[end - 1] == '\n')
        end--;
    begin = end < size ? 0 : end - (size - 1);
    for (size_t i = begin; i < end; i++)
        text[i - begin] = log->bytes[i] == '\n' ? ' ' : log->bytes[i];
    text[end - begin] = '\0';
}
