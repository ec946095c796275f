/* Reports that may be held back; see reports.h. */
#include "reports.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

static void drop_held(struct mysql_reports *reports)
{
    free((char *)reports->held.native_state);
    free((char *)reports->held.message);
    free((char *)reports->held.hint);
    reports->held = (struct osiris_error_report){0};
}

static void pass(const struct mysql_reports *reports, const struct osiris_error_report *report)
{
    if (reports->gate != NULL)
        pthread_mutex_lock(&reports->gate->lock);
    if (reports->gate == NULL || !reports->gate->closed)
        reports->real->error(reports->real, report);
    if (reports->gate != NULL)
        pthread_mutex_unlock(&reports->gate->lock);
}

static void take_report(const struct osiris_host *host, const struct osiris_error_report *report)
{
    struct mysql_reports *reports = (struct mysql_reports *)host;

    if (!reports->holding) {
        pass(reports, report);
        return;
    }
    if (reports->held.category != 0)
        return;
    reports->held = *report;
    reports->held.native_state = copy(report->native_state);
    reports->held.message = copy(report->message);
    reports->held.hint = copy(report->hint);
}

/* The host uses only the context of its table, so a copy with another `error` works as well. */
void mysql_reports_init(struct mysql_reports *reports, const struct osiris_host *real)
{
    size_t size = real->struct_size < sizeof *real ? real->struct_size : sizeof *real;

    *reports = (struct mysql_reports){.real = real};
    memcpy(&reports->host, real, size);
    reports->host.struct_size = (uint32_t)size;
    reports->host.error = take_report;
}

void mysql_reports_clear(struct mysql_reports *reports)
{
    drop_held(reports);
}

void mysql_reports_hold(struct mysql_reports *reports)
{
    drop_held(reports);
    reports->holding = true;
}

void mysql_reports_keep(struct mysql_reports *reports)
{
    reports->holding = false;
}

void mysql_reports_drop(struct mysql_reports *reports)
{
    drop_held(reports);
    reports->holding = false;
}

int mysql_reports_pass(struct mysql_reports *reports)
{
    if (reports->held.category != 0)
        pass(reports, &reports->held);
    mysql_reports_drop(reports);
    return -1;
}

void mysql_gate_init(struct mysql_gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    gate->closed = false;
}

void mysql_gate_close(struct mysql_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->closed = true;
    pthread_mutex_unlock(&gate->lock);
}

void mysql_gate_destroy(struct mysql_gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
}
