/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include "lib/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static char log_who[64] = "muster";
static enum log_level log_shown = LOG_NOTICE;

static const char *const level_names[] = {
    [LOG_ERROR] = "error",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info",     [LOG_DEBUG] = "debug",
};

void log_init(const char *who, enum log_level shown)
{
    snprintf(log_who, sizeof log_who, "%s", who);
    log_shown = shown;
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[2048];
    char when[CLOCK_TEXT_BYTES];
    va_list arguments;

    if (level > log_shown)
        return;
    clock_format_utc(clock_now_s(), when);
    int n = snprintf(line, sizeof line - 1, "%s %s %s: ", when, log_who, level_names[level]);
    va_start(arguments, format);
    const int more = vsnprintf(line + n, sizeof line - 1 - (size_t)n, format, arguments);
    va_end(arguments);
    if (more > 0)
        n += more;
    if ((size_t)n > sizeof line - 2)
        n = (int)sizeof line - 2;
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[n] = '\n';
    /* One write, so that lines of several processes do not mix. */
    (void)!write(STDERR_FILENO, line, (size_t)n + 1);
}
