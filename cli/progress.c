/* Progress on stderr, live or in plain lines; see progress.h. */
#include "cli/progress.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cli/report.h"
#include "core/base/json-build.h"
#include "core/base/buffer.h"
#include "core/base/clock.h"
#include "core/base/json-access.h"
#include "orchestrator/base/terminal.h"

#define WARNINGS_KEPT 100
#define REDRAW_INTERVAL_MS 100
#define DEFAULT_COLUMNS 80
#define DEFAULT_ROWS 24
#define NAME_MAXIMUM 32 /* columns for a step's id */
#define NAME_MINIMUM 6
/* The widths of the other columns, including the two spaces before each: "failed", "999 999 999 rows", … "59 min 59 s" */
#define STATE_WIDTH (2 + 9)
#define ROWS_WIDTH (2 + 16)
#define RATE_WIDTH (2 + 17)
#define BYTES_WIDTH (2 + 8)
#define DURATION_WIDTH (2 + 11)
#define DISPLAY_MAXIMUM ((size_t)1 << 20)

enum display_state { DISPLAY_PENDING, DISPLAY_RUNNING, DISPLAY_DONE, DISPLAY_FAILED, DISPLAY_CANCELLED };

static const char *const state_names[] = {"waiting", "running", "done", "failed", "cancelled"};
static const char *const state_colors[] = {"\033[2m", "\033[36m", "\033[32m", "\033[31m",
                                           "\033[33m"};

struct step {
    const char *id; /* borrowed from the plan */
    const char *component;
    enum display_state state;
    int64_t rows, bytes;
    int64_t started_ms;
    double duration_ms;
};

struct progress {
    struct progress_options options;
    struct step *steps;
    size_t step_count;
    int name_width;
    bool live, color;
    size_t lines_drawn; /* above the cursor */
    int64_t last_draw_ms;
};

static int printed_width(const char *text)
{
    int width = 0;

    /* Ids are mostly ASCII; a continuation byte takes no column. */
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

struct progress *progress_new(const struct progress_options *options)
{
    struct progress *progress = calloc(1, sizeof *progress);
    const struct plan *plan = options->plan;

    progress->options = *options;
    progress->step_count = plan->step_count;
    progress->steps = calloc(progress->step_count + 1, sizeof *progress->steps);
    for (size_t i = 0; i < progress->step_count; i++) {
        progress->steps[i].id = plan->steps[i].id;
        progress->steps[i].component = plan->steps[i].component;
        int width = printed_width(progress->steps[i].id);
        if (width > progress->name_width)
            progress->name_width = width < NAME_MAXIMUM ? width : NAME_MAXIMUM;
    }
    progress->live = !options->quiet && report_terminal();
    progress->color = progress->live && report_color();
    return progress;
}

void progress_free(struct progress *progress)
{
    free(progress->steps);
    free(progress);
}

bool progress_is_live(const struct progress *progress)
{
    return progress->live;
}

static struct step *find_step(struct progress *progress, const char *id)
{
    for (size_t i = 0; i < progress->step_count; i++)
        if (strcmp(progress->steps[i].id, id) == 0)
            return &progress->steps[i];
    return NULL;
}

/* A step's line. */

static double elapsed_ms(const struct step *step)
{
    if (step->state == DISPLAY_RUNNING)
        return (double)(clock_monotonic_ms() - step->started_ms);
    return step->duration_ms;
}

/* What fits in a line. */
struct layout {
    int columns;
    int name; /* columns of the step's id */
    bool rate, bytes;
};

/* Ids are shortened first, then the rate is omitted, then the bytes. */
static struct layout fit(const struct progress *progress, int columns)
{
    int room = columns - STATE_WIDTH - ROWS_WIDTH - DURATION_WIDTH;
    int least = progress->name_width < NAME_MINIMUM ? progress->name_width : NAME_MINIMUM;
    struct layout layout = {
        .columns = columns,
        .rate = room - BYTES_WIDTH - RATE_WIDTH >= least,
        .bytes = room - BYTES_WIDTH >= least,
    };

    room -= (layout.rate ? RATE_WIDTH : 0) + (layout.bytes ? BYTES_WIDTH : 0);
    layout.name = room < least ? least : room < progress->name_width ? room : progress->name_width;
    return layout;
}

/* Fills `columns` columns; '~' marks an id that was shortened. */
static void append_name(struct buffer *out, const char *id, int width)
{
    bool whole = printed_width(id) <= width;
    int column = 0;

    for (; *id != '\0'; id++) {
        column += ((unsigned char)*id & 0xc0) != 0x80;
        if (!whole && column == width)
            break;
        buffer_append_char(out, *id);
    }
    if (!whole)
        buffer_append_char(out, '~');
    for (; column < width; column++)
        buffer_append_char(out, ' ');
}

/* Cuts at a column, never inside a character. */
static void cut(struct buffer *line, int columns)
{
    int width = 0;

    for (size_t i = 0; i < line->length; i++) {
        unsigned char c = (unsigned char)line->data[i];
        if ((c & 0xc0) != 0x80 && ++width > columns) {
            line->length = i;
            return;
        }
    }
}

static void append_step(const struct progress *progress, const struct step *step, const struct layout *layout,
                        struct buffer *out)
{
    char text[REPORT_SIZE_LENGTH];
    _cleanup_buffer_ struct buffer line = BUFFER_INIT(DISPLAY_MAXIMUM);
    double elapsed = elapsed_ms(step);

    append_name(&line, step->id, layout->name);
    buffer_append_format(&line, "  %-9s", state_names[step->state]);
    if (step->state != DISPLAY_PENDING) {
        buffer_append_format(&line, "  %11s row%s", report_count(step->rows, text), step->rows == 1 ? " " : "s");
        if (layout->rate)
            buffer_append_format(&line, "  %10s rows/s",
                                 report_count(report_rate(step->rows, elapsed), text));
        if (layout->bytes)
            buffer_append_format(&line, "  %8s", report_bytes(step->bytes, text));
        buffer_append_format(&line, "  %s", report_duration(elapsed, text));
    }
    cut(&line, layout->columns);
    buffer_append_text(out, "\033[2K");
    if (progress->color)
        buffer_append_text(out, state_colors[step->state]);
    buffer_append(out, line.data, line.length);
    buffer_append_text(out, progress->color ? "\033[0m\n" : "\n");
}

/* The live display. Each frame is one write, so that it does not flicker. */

/* On serial lines and in many containers only the shell knows the size. */
static unsigned size_from_environment(const char *name, unsigned fallback)
{
    const char *text = getenv(name);
    char *end;
    unsigned long value = text == NULL ? 0 : strtoul(text, &end, 10);

    return value > 0 && value <= USHRT_MAX && *end == '\0' ? (unsigned)value : fallback;
}

/* Read each time, because the window may have been resized. Either number may be unknown. */
static void terminal_size(int *columns, size_t *rows)
{
    struct winsize size = {0};

    (void)ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    *columns = (int)(size.ws_col > 0 ? size.ws_col : size_from_environment("COLUMNS", DEFAULT_COLUMNS));
    *rows = size.ws_row > 0 ? size.ws_row : size_from_environment("LINES", DEFAULT_ROWS);
}

static void append_erase(struct progress *progress, struct buffer *out)
{
    if (progress->lines_drawn > 0)
        buffer_append_format(out, "\033[%zuA\r\033[J", progress->lines_drawn);
    progress->lines_drawn = 0;
}

/* Running steps come first when there are more steps than lines. */
static void append_display(struct progress *progress, struct buffer *out)
{
    int columns;
    size_t rows;

    terminal_size(&columns, &rows);
    /* The last column is not used: some terminals wrap when it is written. */
    const struct layout layout = fit(progress, columns - 1);
    size_t room = rows > 3 ? rows - 2 : 1;
    bool all = progress->step_count <= room;
    for (size_t i = 0; i < progress->step_count && progress->lines_drawn < room; i++) {
        if (!all && progress->steps[i].state != DISPLAY_RUNNING)
            continue;
        append_step(progress, &progress->steps[i], &layout, out);
        progress->lines_drawn++;
    }
}

static void write_display(const struct buffer *out)
{
    size_t written = 0;

    while (!out->failed && written < out->length) {
        ssize_t done = write(STDERR_FILENO, out->data + written, out->length - written);
        if (done < 0 && errno != EINTR)
            return;
        written += done > 0 ? (size_t)done : 0;
    }
}

static void draw(struct progress *progress, bool now)
{
    _cleanup_buffer_ struct buffer out = BUFFER_INIT(DISPLAY_MAXIMUM);
    int64_t time_ms = clock_monotonic_ms();

    if (!progress->live || (!now && time_ms - progress->last_draw_ms < REDRAW_INTERVAL_MS))
        return;
    progress->last_draw_ms = time_ms;
    append_erase(progress, &out);
    append_display(progress, &out);
    write_display(&out);
}

/* A line above the live display, or just a line. */
static void print_above(struct progress *progress, const char *text)
{
    _cleanup_buffer_ struct buffer out = BUFFER_INIT(DISPLAY_MAXIMUM);

    append_erase(progress, &out);
    buffer_append_text(&out, text);
    buffer_append_char(&out, '\n');
    if (progress->live)
        append_display(progress, &out);
    write_display(&out);
}

static void print_format(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print_format(struct progress *progress, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    _cleanup_free_ char *text = terminal_format(format, arguments);
    va_end(arguments);
    if (text != NULL)
        print_above(progress, text);
}

/* The session's observer. */

static void on_step_started(void *context, const char *step_id, const char *component)
{
    struct progress *progress = context;
    struct step *step = find_step(progress, step_id);

    if (step == NULL)
        return;
    step->state = DISPLAY_RUNNING;
    step->started_ms = clock_monotonic_ms();
    if (progress->live)
        draw(progress, false);
    else if (!progress->options.quiet)
        print_format(progress, "%s: started (%s)", step_id, component);
}

static void on_step_progress(void *context, const char *step_id, int64_t rows, int64_t bytes)
{
    struct progress *progress = context;
    struct step *step = find_step(progress, step_id);

    if (step == NULL || step->state != DISPLAY_RUNNING)
        return;
    step->rows = rows;
    step->bytes = bytes;
    draw(progress, false);
}

static void on_step_retried(void *context, const char *step_id, const char *message,
                            int64_t attempt, int64_t max_attempts, int64_t delay_ms)
{
    struct progress *progress = context;
    struct step *step = find_step(progress, step_id);
    char delay_text[REPORT_SIZE_LENGTH];

    if (step == NULL)
        return;
    step->state = DISPLAY_PENDING;
    if (progress->options.quiet)
        return;
    print_format(progress, "%s: attempt %lld of %lld failed: %s; the next one starts in %s", step_id,
               (long long)attempt, (long long)max_attempts, message,
               report_duration((double)delay_ms, delay_text));
}

static enum display_state end_state(const struct osiris_error *error)
{
    if (error == NULL)
        return DISPLAY_DONE;
    return error->category == OSIRIS_ERROR_CANCELLED ? DISPLAY_CANCELLED : DISPLAY_FAILED;
}

static void on_step_finished(void *context, const char *step_id, const struct osiris_error *error,
                             int64_t rows, int64_t bytes, double duration_ms)
{
    struct progress *progress = context;
    struct step *step = find_step(progress, step_id);
    char rows_text[REPORT_SIZE_LENGTH], bytes_text[REPORT_SIZE_LENGTH],
        duration_text[REPORT_SIZE_LENGTH];

    if (step == NULL)
        return;
    step->state = end_state(error);
    step->rows = rows;
    step->bytes = bytes;
    step->duration_ms = duration_ms;
    if (progress->live)
        draw(progress, false);
    else if (!progress->options.quiet)
        print_format(progress, "%s: %s, %s row%s, %s, %s", step_id, state_names[step->state],
                   report_count(rows, rows_text), rows == 1 ? "" : "s", report_bytes(bytes, bytes_text),
                   report_duration(duration_ms, duration_text));
}

static void keep_warning(const struct progress *progress, const char *source, const char *message)
{
    json_object *warnings = progress->options.warnings;

    if (warnings == NULL || json_object_array_length(warnings) >= WARNINGS_KEPT)
        return;
    json_object *warning = json_object_new_object();
    json_add_string(warning, "source", source);
    json_add_string(warning, "message", message);
    json_append(warnings, warning);
}

/* A step's failure is shown once, as the run's error; osiris.log has the details. */
static void on_log(void *context, int level, const char *source, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct progress *progress = context;

    if (level == OSIRIS_WARNING)
        keep_warning(progress, source, message);
    if (progress->options.quiet || level < OSIRIS_DEBUG || level > OSIRIS_ERROR)
        return;
    bool of_step = level == OSIRIS_ERROR && source != NULL && find_step(progress, source) != NULL;
    if (!progress->options.verbose && (level < OSIRIS_WARNING || of_step))
        return;
    print_format(progress, "%s: %s%s%s", names[level], source == NULL ? "" : source,
               source == NULL ? "" : ": ", message);
}

static void on_cancelling(void *context, int signal_number)
{
    const char *name = sigabbrev_np(signal_number);

    print_format(context, "osiris: cancelling after SIG%s%s", name == NULL ? "?" : name,
               signal_number == SIGHUP ? "" : "; a second one kills the worker");
}

void progress_end(struct progress *progress)
{
    draw(progress, true);
    progress->live = false;
    progress->lines_drawn = 0;
}

const struct session_observer progress_observer = {
    .step_started = on_step_started,
    .step_progress = on_step_progress,
    .step_retried = on_step_retried,
    .step_finished = on_step_finished,
    .log = on_log,
    .cancelling = on_cancelling,
};
